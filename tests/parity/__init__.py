"""The same registries, rows and requests to stock Feast's server and to ours, and their answers compared."""
