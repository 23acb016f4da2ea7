"""How long a function takes, as far as its last calls say."""

# Calls of up to 2^N rows are told apart.
_SIZES = 16
# Weight of a new measurement that is below what was seen before; one above counts in full, so that a function that has
# become slow is noticed at once.
_WEIGHT = 0.2


class Timing:
    """Keeps for each order of magnitude of rows what a call took."""

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: list[float | None] = [None] * _SIZES

    def estimate(self, rows: int) -> float | None:
        """Seconds that a call with so many rows will take; None when nothing is known yet. Hot.

        A larger call than was seen is taken to grow with its rows.
        """
        size = min(rows.bit_length(), _SIZES - 1)
        for smaller in range(size, -1, -1):
            seconds = self._seconds[smaller]
            if seconds is not None:
                return seconds * (1 << (size - smaller))
        return None

    def record(self, rows: int, seconds: float) -> None:
        """A call with so many rows has taken so long. Hot."""
        size = min(rows.bit_length(), _SIZES - 1)
        before = self._seconds[size]
        if before is not None and seconds < before:
            seconds = before + (seconds - before) * _WEIGHT
        self._seconds[size] = seconds
