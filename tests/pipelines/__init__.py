"""The batch half, on real servers."""
