"""A service for tests that starts at once: its definitions are written by hand, its rows with Feast's own encoders.

Used by the tests of tests/unit, tests/http and tests/contract.
"""
