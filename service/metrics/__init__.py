"""What the service counts, right over several worker processes."""

from service.metrics.slots import Histogram, Metrics

__all__ = ["Histogram", "Metrics"]
