"""The commands of `rapport`: a client of the HTTP API, whoever serves it."""
