"""Read models in PostgreSQL: what a connection must know, whatever it was used for before."""

from decimal import Decimal

import pytest
import sqlalchemy as sa

from shared.postgres import engine
from shared.projections.postgres_home import PostgresHome


@pytest.fixture
def opened(database):
    opened = engine(database, pool_size=1, max_overflow=0)
    yield opened
    opened.dispose()


def test_sums_are_integers_also_on_connections_that_are_older_than_the_home(opened):
    total = sa.select(sa.func.sum(sa.cast(sa.literal(2**40), sa.BigInteger)))
    with opened.connect() as db:
        assert isinstance(db.execute(total).scalar_one(), Decimal)
    place = PostgresHome(opened).place("sums")
    for transactions in (place.writer, place.readers):
        with transactions.begin() as db:
            found = db.execute(total).scalar_one()
            assert (found, type(found)) == (2**40, int)


def test_each_transaction_finds_its_own_schema_and_leaves_none_behind(opened):
    home = PostgresHome(opened)
    for name in ("one", "two"):
        with home.place(name).writer.begin() as db:
            db.exec_driver_sql(f"CREATE TABLE names AS SELECT '{name}' AS name")
    for name in ("one", "two", "one"):
        with home.place(name).readers.begin() as db:
            assert db.exec_driver_sql("SELECT name FROM names").scalar_one() == name
    with opened.begin() as db:
        assert "read_" not in db.exec_driver_sql("SHOW search_path").scalar_one()


def test_who_reads_sees_one_moment_writes_nothing_and_is_not_hurried(database):
    place = PostgresHome(engine(database)).place("moment")
    with place.writer.begin() as db:
        db.exec_driver_sql("CREATE TABLE numbers (number integer)")
    with place.readers.begin() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM numbers").scalar_one() == 0
        with place.writer.begin() as writer:
            writer.exec_driver_sql("INSERT INTO numbers VALUES (1)")
            assert writer.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one() == "10s"
        assert reader.exec_driver_sql("SELECT count(*) FROM numbers").scalar_one() == 0
        assert reader.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one() == "0"
        with pytest.raises(sa.exc.InternalError, match="read-only transaction"):
            reader.exec_driver_sql("INSERT INTO numbers VALUES (2)")
