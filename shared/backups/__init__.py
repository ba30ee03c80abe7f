"""Keeping a folder: a backup of one moment while it is in use, and a folder made from one, both proved whole."""
