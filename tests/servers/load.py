"""Clients that read all the time while something is done to the service, and keep every outcome."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .http_connection import HttpConnection, encode_request
from .service_process import Answer
from .waiting import until

PATH = "/get-online-features"
# A client that lost its connection waits this long before it opens another.
RECONNECT_SECONDS = 0.02
# A client that was told to go away comes again this much later; otherwise refusals would drown the answers.
RETRY_SECONDS = 0.02
END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Question:
    """A body, and the values that must come back for it: every vector by its name."""

    body: dict[str, Any]
    expected: dict[str, list[Any]]

    def is_answered_by(self, answer: Answer) -> bool:
        """Whether a 200 holds these values and no others."""
        found = answer.json
        names = found["metadata"]["feature_names"]
        vectors = [vector["values"] for vector in found["results"]]
        return dict(zip(names, vectors, strict=True)) == self.expected


class Load:
    """Each client sends question after question on a connection of its own. `async with Load(...) as load`."""

    def __init__(self, url: str, questions: Sequence[Question], clients: int = 4, pause: float = 0.0) -> None:
        """`pause` seconds lie between an answer and the next question of a client."""
        self.statuses: Counter[int] = Counter()
        self.refusals: Counter[str] = Counter()
        self.lost = 0
        self.wrong: list[str] = []
        self._url = url
        self._questions = [
            (encode_request("POST", PATH, json.dumps(question.body).encode()), question) for question in questions
        ]
        self._clients = clients
        self._pause = pause
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start, and return after the first right answer."""
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(self._clients)]
        await self.more()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let every client get its last answer, and stop."""
        self._stop.set()
        async with asyncio.timeout(END_SECONDS):
            await asyncio.gather(*self._tasks)

    @property
    def answered(self) -> int:
        """How many 200s have come, right or wrong."""
        return self.statuses[200]

    async def more(self, answers: int = 1, seconds: float = 10.0) -> None:
        """Return when so many more 200s have come; AssertionError when they don't."""
        wanted = self.answered + answers
        try:
            await until(lambda: self.answered >= wanted, f"{answers} more answers", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self}") from None

    def __repr__(self) -> str:
        """What has come so far."""
        refusals = self.refusals.most_common(3)
        return f"{dict(self.statuses)}, {self.lost} connections lost, refused: {refusals}, wrong: {self.wrong[:3]}"

    async def _run(self, number: int) -> None:
        connection: HttpConnection | None = None
        for request, question in itertools.islice(itertools.cycle(self._questions), number, None):
            if self._stop.is_set():
                break
            try:
                connection = connection or await HttpConnection.open(self._url)
                await connection.send(request)
                answer = await connection.receive()
                self._note(answer, question)
            except OSError:
                self.lost += 1
                if connection is not None:
                    connection.close()
                connection = None
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            await asyncio.sleep(self._pause if answer.status == 200 else RETRY_SECONDS)
        if connection is not None:
            connection.close()

    def _note(self, answer: Answer, question: Question) -> None:
        self.statuses[answer.status] += 1
        if answer.status == 200 and not question.is_answered_by(answer):
            self.wrong.append(f"{question.body}: {answer.body.decode()}")
        elif answer.status != 200:
            self.refusals[answer.body.decode()] += 1
