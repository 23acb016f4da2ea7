"""The Python client, against the service as it runs."""
