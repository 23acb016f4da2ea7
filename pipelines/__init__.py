"""The batch half: what the Makefile, the DAGs and notebooks call."""
