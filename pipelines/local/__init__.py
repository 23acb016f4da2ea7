"""The whole feature platform on one machine: what `make serve` runs, and the embedded Redis that tests use."""
