"""Read models in both databases."""

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from shared.projections.home import Home
from shared.projections.postgres_home import PostgresHome
from shared.projections.sqlite_home import SqliteHome

_numbers = count()


def _home(request: pytest.FixtureRequest, folder: Path) -> Home:
    if request.param == "sqlite":
        return SqliteHome(folder)
    return PostgresHome(request.getfixturevalue("postgres_engine"), prefix=f"test{next(_numbers)}_")


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """Where read models are kept: each test runs with both."""
    return _home(request, tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def home_of(request: pytest.FixtureRequest) -> Callable[[Path], Home]:
    """Makes as many as a test wants, each with a folder of its own."""
    return partial(_home, request)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def kit_home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """Both for the kit, which folds a history some twenty times: the second one in the long run."""
    return _home(request, tmp_path)
