"""`python -m services` is the console script `rapport`."""

from services.cli import main

main()
