"""The same suites over the same frames by Great Expectations itself and by the compiled form, and their results compared."""
