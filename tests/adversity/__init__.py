"""What happens when things go wrong: each failure is made to happen, to real servers."""
