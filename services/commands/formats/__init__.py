"""Readers of the file formats that `rapport import` understands: streaming, flat in memory, no network."""
