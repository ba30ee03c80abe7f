import pytest

from shared.errors import SubjectIsErased
from shared.keyring import SqliteKeyring, fingerprint


def test_a_key_is_made_once_and_survives_a_restart(tmp_path):
    keyring = SqliteKeyring(tmp_path / "keys.db")
    key = keyring.key("customer-1")
    assert keyring.key("customer-1") == key
    assert keyring.key("customer-2") != key
    keyring.close()
    again = SqliteKeyring(tmp_path / "keys.db")
    assert again.find("customer-1") == key
    assert again.find("customer-3") is None


def test_a_destroyed_key_is_gone_for_ever(tmp_path):
    keyring = SqliteKeyring(tmp_path / "keys.db")
    key = keyring.key("customer-1")
    keyring.destroy("customer-1")
    keyring.destroy("customer-1")
    assert keyring.find("customer-1") is None
    with pytest.raises(SubjectIsErased):
        keyring.key("customer-1")
    keyring.destroy("customer-never-seen")
    with pytest.raises(SubjectIsErased):
        keyring.key("customer-never-seen")
    for file in tmp_path.iterdir():
        assert key not in file.read_bytes()


def test_only_the_owner_can_read_the_file(tmp_path):
    SqliteKeyring(tmp_path / "keys.db")
    assert (tmp_path / "keys.db").stat().st_mode & 0o077 == 0


def test_a_fingerprint_depends_on_key_and_content():
    assert len({fingerprint(b"k", b"a"), fingerprint(b"k", b"b"), fingerprint(b"l", b"a")}) == 3
