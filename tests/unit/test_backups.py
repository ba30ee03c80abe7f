"""Backups of a folder in use, folders made from them, and what becomes of a byte that changed in between."""

import asyncio
import json
import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from uuid import UUID, uuid4

import apsw
import facts
import pytest

from services.contacts import reactions
from services.contacts.customer import RegisterCustomer, customer
from services.contacts.standing import EraseCustomer
from shared.account_tables import opened as opened_accounts
from shared.accounts import Accounts
from shared.backups import files
from shared.backups.backup import backup
from shared.backups.files import Unsuitable
from shared.backups.restore import restore
from shared.codec import Codec
from shared.crashpoints import arm
from shared.decider import Context, Log, handle
from shared.errors import SubjectIsErased
from shared.events import ERASED
from shared.keyring import SqliteKeyring
from shared.projections.generation import Generation
from shared.projections.progress import Batch
from shared.projections.sqlite_home import SqlitePlace
from shared.service import Service
from shared.sqlite_store import SqliteStore
from shared.verify import content

CONTACTS = Service("contacts", (), (), catch_up=reactions.catch_up)
WHO = UUID(int=7)
COLUMNS = ["data", "metadata", "hash", "event_id", "version", "stream_id", "subject_id", "type_id", "position"]


@asynccontextmanager
async def opened(folder):
    folder.mkdir(exist_ok=True)
    store, keyring = SqliteStore(folder / "events.db"), SqliteKeyring(folder / "keyring.db")
    try:
        yield Log(store, keyring, Codec(keyring))
    finally:
        await store.close()
        keyring.close()


async def place(log, number, customers=20):
    command = facts.Place(
        customer_id=UUID(int=number % customers),
        business_day=number % 60,
        lines=facts.lines(number),
        note=f"Zoë {number}",
    )
    order = UUID(int=10_000 + number)
    await handle(log, facts.order, order, command, context=facts.asked())
    if number % 3 == 0:
        await handle(log, facts.order, order, facts.Cancel(), context=facts.asked())


async def fill(log, orders=90, first=0):
    for number in range(first, first + orders):
        await place(log, number)


async def events(log):
    return [event async for page in log.store.pages(0) for event in page.events]


async def result(work):
    *steps, last = [report async for report in work]
    assert all(step["progress"]["done"] <= step["progress"]["total"] for step in steps)
    return last["result"]


def tables(log, folder, some):
    """What read models hold after these events."""
    with closing(Generation(facts.family, 1, SqlitePlace(folder), log.codec)) as generation:
        generation.apply([Batch("", 0, some, some[-1].position, 0)])
        generation.refresh()
        return content(generation).tables


@pytest.fixture
async def kept(tmp_path):
    """A backup and its keys, of a folder that is not served any more."""
    async with opened(tmp_path / "data") as log:
        await fill(log)
    opened_accounts(tmp_path / "data" / "accounts.db").dispose()
    done = await result(backup(tmp_path / "data", tmp_path / "kept", tmp_path / "keys"))
    assert done["ok"]
    return done


async def refused(tmp_path):
    """Restoring finds the damage and leaves nothing behind."""
    before = set(tmp_path.iterdir())
    done = await result(restore([], tmp_path / "kept", tmp_path / "again", tmp_path / "keys"))
    assert not done["ok"], done
    assert set(tmp_path.iterdir()) == before
    return done


def change(path, statement, *bound):
    with closing(apsw.Connection(str(path))) as db:
        db.execute(statement, bound)
        assert db.changes() == 1


def flip(path, offset, bit):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


async def test_a_backup_taken_under_load_restores_the_read_models_of_its_head(tmp_path):
    async with opened(tmp_path / "data") as log:
        await fill(log, 600)
        enough, number = asyncio.Event(), 600

        async def load():
            nonlocal number
            while not enough.is_set():
                await place(log, number)
                number += 1

        loading = asyncio.create_task(load())
        begun = await log.store.position()
        done = await result(backup(tmp_path / "data", tmp_path / "kept", tmp_path / "keys"))
        enough.set()
        await loading
        assert done["ok"]
        assert begun <= done["head"] < await log.store.position(), "nobody wrote meanwhile"
        wanted = [event for event in await events(log) if event.position <= done["head"]]
        held = tables(log, tmp_path / "before.db", wanted)
        source = log.store.id
    restored = await result(restore([], tmp_path / "kept", tmp_path / "again", tmp_path / "keys"))
    same = ("events", "streams", "head", "checksum", "ok")
    assert [restored[name] for name in same] == [done[name] for name in same]
    assert (restored["destroyed"], restored["unreadable"]) == (0, 0)
    async with opened(tmp_path / "again") as log:
        assert await events(log) == wanted
        assert tables(log, tmp_path / "after.db", wanted) == held
        assert log.store.id != source, "what follows has the positions of other events"
        await place(log, 100_000)


async def test_a_log_that_a_crash_has_left_is_backed_up_with_what_it_acknowledged(tmp_path):
    async with opened(tmp_path / "data") as log:
        await fill(log)
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for path in (tmp_path / "data").glob("events.db*"):
            (crashed / path.name).write_bytes(path.read_bytes())
        (crashed / "events.db-shm").unlink()
        assert (crashed / "events.db-wal").stat().st_size
        head = await log.store.position()
    assert (await result(backup(crashed, tmp_path / "kept")))["head"] == head


@pytest.mark.parametrize("column", COLUMNS)
async def test_an_event_that_was_changed_in_a_backup_is_found_and_located(tmp_path, kept, rng, column):
    position = rng.randint(1, kept["head"] - 1)
    with closing(apsw.Connection(str(tmp_path / "kept" / "events.db"))) as db:
        value = db.execute(f"SELECT {column} FROM events WHERE position = ?", (position,)).get
    if isinstance(value, bytes):
        place = rng.randrange(len(value))
        changed = value[:place] + bytes([value[place] ^ 1 << rng.randrange(8)]) + value[place + 1 :]
    else:
        changed = value + 1_000
    change(tmp_path / "kept" / "events.db", f"UPDATE events SET {column} = ? WHERE position = ?", changed, position)
    done = await refused(tmp_path)
    assert done["first_bad"] == position
    assert f"position {position}" in done["damage"]


async def test_a_flipped_byte_of_any_file_is_found_and_located(tmp_path, kept, rng):
    places = []
    for name in ["events.db"] * 40 + ["accounts.db"] * 4:
        path = tmp_path / "kept" / name
        sound = path.read_bytes()
        offset = rng.randrange(len(sound))
        flip(path, offset, rng.randrange(8))
        done = await refused(tmp_path)
        assert f"{name} is damaged between byte 0 and" in done["damage"], (offset, done)
        places.append(done["first_bad"])
        path.write_bytes(sound)
    assert sum(place is not None for place in places) > len(places) / 3, "most of the file is events"


async def test_a_flipped_byte_of_a_personal_field_is_found_where_it_is(tmp_path, kept, rng):
    path = tmp_path / "kept" / "events.db"
    sound = path.read_bytes()
    with closing(apsw.Connection(str(path))) as db:
        stored = dict(db.execute("SELECT position, data FROM events WHERE instr(CAST(data AS TEXT), 'enc.v1.')"))
    for position in rng.sample(sorted(stored), 5):
        note = json.loads(stored[position])["note"].encode()
        flip(path, sound.index(note) + rng.randrange(8, len(note)), 0)
        assert (await refused(tmp_path))["first_bad"] == position
        path.write_bytes(sound)


async def test_a_flipped_byte_of_the_manifest_or_the_keys_is_found(tmp_path, kept, rng):
    path = tmp_path / "kept" / "manifest.json"
    sound, manifest = path.read_bytes(), files.read(tmp_path / "kept")
    for offset in rng.sample([place for place, byte in enumerate(sound) if not chr(byte).isspace()], 30):
        flip(path, offset, rng.randrange(7))
        try:
            same = files.read(tmp_path / "kept") == manifest  # of a hexadecimal digit, the case may have changed
        except (files.Damaged, Unsuitable):
            same = False
        assert not same, offset
        path.write_bytes(sound)
    flip(path, sound.index(b'"checksum"') + 20, 0)
    assert "manifest.json" in (await refused(tmp_path))["damage"]
    path.write_bytes(sound)
    change(tmp_path / "keys", "UPDATE keys SET key = randomblob(32) WHERE subject = ?", f"customer-{WHO}")
    done = await refused(tmp_path)
    assert f"the key of customer-{WHO} does not fit" in done["damage"]
    assert done["first_bad"] is None


async def test_a_log_that_lost_its_last_events_is_found(tmp_path, kept):
    change(tmp_path / "kept" / "events.db", "DELETE FROM events WHERE position = ?", kept["head"])
    assert (await refused(tmp_path))["first_bad"] == kept["head"]


async def test_a_file_that_is_cut_off_or_gone_is_found(tmp_path, kept):
    path = tmp_path / "kept" / "events.db"
    path.write_bytes(path.read_bytes()[:-5_000])
    done = await refused(tmp_path)
    assert done["first_bad"]
    assert "events.db has" in done["damage"] or "is damaged between" in done["damage"]
    path.unlink()
    assert "events.db cannot be read" in (await refused(tmp_path))["damage"]


async def test_a_damaged_log_is_not_backed_up(tmp_path):
    async with opened(tmp_path / "data") as log:
        await fill(log)
    change(tmp_path / "data" / "events.db", "UPDATE events SET data = '{}' WHERE position = 17")
    done = await result(backup(tmp_path / "data", tmp_path / "kept", tmp_path / "keys"))
    assert (done["ok"], done["first_bad"]) == (False, 17)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_without_keys_nothing_personal_can_be_read_and_nobody_gets_a_key_that_does_not_fit(tmp_path, kept):
    done = await result(restore([], tmp_path / "kept", tmp_path / "again"))
    assert (done["ok"], done["keys"], done["unreadable"]) == (True, 0, 20)
    async with opened(tmp_path / "again") as log:
        told = await events(log)
        assert {log.codec.revealed(event)["note"] for event in told if event.type == facts.Placed.type} == {ERASED}
        assert tables(log, tmp_path / "read.db", told)["orders"][0] == 60
        with pytest.raises(SubjectIsErased):
            await place(log, 1_000)
        await place(log, 1_999, customers=2_000)


async def test_keys_of_another_moment_open_what_they_can(tmp_path):
    async with opened(tmp_path / "data") as log:
        await fill(log, 10)
        await result(backup(tmp_path / "data", tmp_path / "early", tmp_path / "keys"))
        await fill(log, 10, first=10)
        await result(backup(tmp_path / "data", tmp_path / "kept", tmp_path / "later keys"))
    done = await result(restore([], tmp_path / "kept", tmp_path / "again", tmp_path / "keys"))
    assert (done["ok"], done["keys"], done["unreadable"]) == (True, 10, 10)
    done = await result(restore([], tmp_path / "early", tmp_path / "before", tmp_path / "later keys"))
    assert (done["ok"], done["keys"], done["unreadable"]) == (True, 20, 0)


async def test_keys_that_the_log_says_are_erased_are_destroyed_again(tmp_path):
    async with opened(tmp_path / "data") as log:
        for id_ in (WHO, UUID(int=8)):
            command = RegisterCustomer(customer_id=id_, name="Zoë Kovač")
            await handle(log, customer, id_, command, context=Context("cli:test", uuid4()))
        await result(backup(tmp_path / "data", tmp_path / "early", tmp_path / "keys"))
        erased = EraseCustomer(reason="request")
        await handle(log, customer, WHO, erased, context=Context("cli:test", uuid4()))
        await reactions.catch_up(log)
        await result(backup(tmp_path / "data", tmp_path / "kept"))
    done = await result(restore([CONTACTS], tmp_path / "kept", tmp_path / "again", tmp_path / "keys"))
    assert (done["ok"], done["keys"], done["destroyed"], done["unreadable"]) == (True, 1, 1, 0)
    with closing(SqliteKeyring(tmp_path / "keys")) as keyring:
        key = keyring.find(f"customer-{WHO}")
    with closing(SqliteKeyring(tmp_path / "again" / "keyring.db")) as keyring:
        assert keyring.destroyed() == {f"customer-{WHO}"}
        assert keyring.find(f"customer-{UUID(int=8)}") is not None
    assert key is not None
    assert all(key not in path.read_bytes() for path in (tmp_path / "again").iterdir())


async def test_accounts_are_kept_without_who_is_signed_in(tmp_path):
    async with opened(tmp_path / "data") as log:
        await fill(log, 3)
        with closing(Accounts(opened_accounts(tmp_path / "data" / "accounts.db"))) as accounts:
            password, token = accounts.add_staff("ada", "analyst"), accounts.add_token("job", "operator")
            session = await accounts.sign_in("ada", password)
            accounts.note("staff:ada", "events revealed", "all")
            await result(backup(tmp_path / "data", tmp_path / "kept"))
            assert accounts.session(session) is not None
    await result(restore([], tmp_path / "kept", tmp_path / "again"))
    with closing(Accounts(opened_accounts(tmp_path / "again" / "accounts.db"))) as accounts:
        assert accounts.token(token).name == "job"
        assert accounts.session(session) is None
        assert accounts.session(await accounts.sign_in("ada", password)).name == "ada"
        assert [note["action"] for note in accounts.notes()] == ["events revealed"]
    with closing(sqlite3.connect(tmp_path / "kept" / "accounts.db")) as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


async def test_nothing_is_overwritten(tmp_path, kept):
    before = {path: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    data, here = tmp_path / "data", tmp_path / "kept"
    for folder, keys, why in (
        (here, None, "not empty"),
        (tmp_path / "keys", None, "not empty"),
        (tmp_path / "new", tmp_path / "keys", "there already"),
        (tmp_path / "new", tmp_path / "new" / "keys", "apart"),
    ):
        with pytest.raises(Unsuitable, match=why):
            await result(backup(data, folder, keys))
    with pytest.raises(Unsuitable, match="not empty"):
        await result(restore([], here, data))
    for folder, keys, why in ((data, None, "not a backup"), (here, here / "manifest.json", "no file of keys")):
        with pytest.raises(Unsuitable, match=why):
            await result(restore([], folder, tmp_path / "new", keys))
    with pytest.raises(Unsuitable, match=r"no events\.db"):
        await result(backup(tmp_path / "nowhere", tmp_path / "new"))
    assert {path: path.read_bytes() for path in here.iterdir()} == before
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    assert (await result(backup(data, tmp_path / "new")))["ok"]


async def test_a_backup_of_a_later_release_is_left_to_it(tmp_path, kept):
    manifest = files.read(tmp_path / "kept")
    later = files.Manifest(**{**{name: getattr(manifest, name) for name in manifest.__struct_fields__}, "format": 2})
    files.write(later, tmp_path / "kept")
    with pytest.raises(Unsuitable, match="restore it with that release"):
        await result(restore([], tmp_path / "kept", tmp_path / "again"))


@pytest.mark.parametrize("place", ["backup.written", "restore.written"])
async def test_what_is_interrupted_leaves_nothing(tmp_path, kept, place):
    class Interrupted(BaseException):
        pass

    def interrupt(name):
        if name == place:
            raise Interrupted

    before = set(tmp_path.iterdir())
    work = {
        "backup.written": backup(tmp_path / "data", tmp_path / "second", tmp_path / "more keys"),
        "restore.written": restore([], tmp_path / "kept", tmp_path / "again", tmp_path / "keys"),
    }
    arm(interrupt)
    try:
        with pytest.raises(Interrupted):
            await result(work[place])
    finally:
        arm(None)
    assert set(tmp_path.iterdir()) == before


def test_a_manifest_says_when_it_was_made_and_by_what(tmp_path):
    manifest = files.Manifest(1, "0.1.0", datetime.now(UTC).isoformat(), "s", 1, 1, 1, "c", {})
    files.write(manifest, tmp_path)
    assert files.read(tmp_path) == manifest
