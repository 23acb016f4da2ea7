"""docs/compatibility.md, row by row: what stock's server does, and what ours does."""
