"""Feast's bytes in Redis to values and to JSON: no I/O, nothing of views or requests."""
