"""Where the JSON arrays of an answer stand: settled once for a plan, so that a request only fills them in.

Arrays come in the order in which they are made: values, statuses and event times of each entity column; then, for each group,
the event times of each view, and for each codec the values of its columns and the statuses of its columns
(`service.blocks.Block.cut`). Features that share a view share its event times, and a feature that is asked for twice is there
once.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter

from service.groups import Group

# Picks the arrays that the template takes, in its order, from those that were made.
Arrange = Callable[[Sequence[bytes]], tuple[bytes, ...]]

# One feature's part of the answer.
_VECTOR = b'{"values":%s,"statuses":%s,"event_timestamps":%s}'


def answer_template(width: int, metadata: bytes) -> bytes:
    """The answer's JSON but for three arrays of each of `width` columns: values, statuses, event times."""
    return b'{"results":[%s],"metadata":%s}' % (b",".join([_VECTOR] * width), metadata.replace(b"%", b"%%"))


def arrangement(echoed: int, groups: Sequence[Group], width: int) -> Arrange:
    """What picks the template's arrays where there are so many entity columns, in an answer of `width` columns."""
    places = {column: (3 * column, 3 * column + 1, 3 * column + 2) for column in range(echoed)}
    first = 3 * echoed
    for group in groups:
        times, first = first, first + len(group.views)
        for features in group.features:
            columns = len(features.names)
            for index, view, position in features.places:
                places[position] = (first + index, first + columns + index, times + view)
            first += 2 * columns
    return itemgetter(*[place for column in range(width) for place in places[column]])
