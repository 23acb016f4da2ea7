"""What forms of an answer have in common that name each column once: the keys of a row, the columns of a frame."""

from collections import Counter
from collections.abc import Iterable

from service.codec.values import MessageCodec, codec_for
from service.errors import FeatureNameCollision
from service.plan import ReadPlan

# How much longer a list or a map of a few items takes to encode than a number.
_NESTED = 32


def values_in_row(plan: ReadPlan, more_columns: int) -> int:
    """How many values a row is worth when it is encoded; each feature has so many columns more."""
    nested = sum(isinstance(codec_for(value_type), MessageCodec) for value_type in plan.types)
    return len(plan.names) + (_NESTED - 1) * nested + more_columns * (len(plan.names) - len(plan.echoed))


def check_names(plan: ReadPlan, postfixes: Iterable[str] = ()) -> None:
    """Raise FeatureNameCollision where one name would mean two things; each feature has columns with these postfixes, too.

    A feature that is asked for twice is the same thing twice.
    """
    entities = plan.names[: len(plan.echoed)]
    features = set(plan.names[len(plan.echoed) :])
    times = Counter([*entities, *features, *(name + postfix for name in features for postfix in postfixes)])
    repeated = sorted(name for name, number in times.items() if number > 1)
    if repeated:
        raise FeatureNameCollision.because(
            f"{', '.join(repeated)} would be the name of two different things in this form of the answer. "
            "full_feature_names names features by their views, too; the columns layout in JSON needs no different names.",
            "features",
        )
