"""Materialization: what the offline store has of each key, written to Redis by the push path's writer, by Feast's plan.

Feast reads the sources, keeps the registry's states and intervals, and calls transformations; only how rows are read from
parquet, encoded and written is done here. `job` is plain data and imports no Feast; all else does, and runs in a process
of its own (`process`) or in a command.
"""
