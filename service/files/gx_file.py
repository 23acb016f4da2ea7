"""A process that lets Great Expectations judge a file, as pandas reads it: `python -m service.files.gx_file`.

It is given one request on stdin, answers on stdout, and ends. Only it imports pandas and great_expectations. Source of the
messages' form: `service.suites.gx_messages`.
"""

import io
import logging
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from service.suites.gx_evaluator import Evaluator
from service.suites.gx_messages import Refused, described, frame_answer, parse_request, receive

STDOUT, STDERR = 1, 2


def read_file(path: Path, columns: Sequence[str] | None) -> Any:
    """The frame that pandas makes of a file: what `service.files` answers for. None stands for all columns."""
    import pandas as pd  # type: ignore[import-untyped]

    wanted = None if columns is None else list(columns)
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return pd.read_csv(path, usecols=wanted, low_memory=False, float_precision="round_trip")
    # Rows are counted from 0 here, whatever the index says.
    return pd.read_parquet(path, columns=wanted).reset_index(drop=True)


def answer_to(body: bytes) -> Mapping[str, Any]:
    """`answer`: a result for each expectation; or `refused`, or `failed`, with the reason."""
    try:
        _, request = parse_request(body)
        frame = read_file(Path(request["path"]), request["columns"])
        columns = {name: frame[name] for name in frame.columns}
        evaluated = Evaluator().validate(
            request["expectations"], columns, (), request["parameters"], result_format=request["result_format"]
        )
        return {"answer": [result for result, _ in evaluated]}
    except Refused as refusal:
        return {"refused": str(refusal), "field": refusal.field}
    except Exception as error:
        return {"failed": described(error)}


def main() -> int:
    """Entry point."""
    answers = os.fdopen(os.dup(STDOUT), "wb")
    # What GX prints is none of the answer.
    os.dup2(STDERR, STDOUT)
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    body = receive(io.BytesIO(sys.stdin.buffer.read()))
    if body is None:
        return 1
    with answers:
        answers.write(frame_answer(dict(answer_to(body))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
