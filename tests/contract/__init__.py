"""The OpenAPI document and the service agree."""
