"""The service over HTTP: what it answers, and what it says to requests that can't be answered."""
