"""Materialization: the same bytes as Feast's own, views as a whole, and what becomes of it where something breaks."""
