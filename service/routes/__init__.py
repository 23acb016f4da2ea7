"""HTTP: bodies to calls, results and errors to answers. Knows neither Redis nor Feast."""
