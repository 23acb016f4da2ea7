"""The Great Expectations project: its suites, its checkpoints, its scripts."""
