"""What other systems rely on: the shape of every event ever published, and that we can still read it."""

import importlib
import json
import subprocess
from pathlib import Path

import golden_events
import pytest

from services.cli import services
from shared.contracts import schema_file, schema_of, written
from shared.events import check_upcasters, registered

ROOT = Path(__file__).parent.parent.parent
SERVICES = [service.name for service in services()]
for name in SERVICES:
    importlib.import_module(f"services.{name}.events") if (ROOT / "services" / name / "events.py").exists() else None
EVENTS = [event for event in registered() if event.__module__.startswith("services.")]
FINGERPRINTS = json.loads((ROOT / "tests/golden/fingerprints.json").read_text())


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"git cannot tell what was published: {done.stderr.strip()}")
    return done.stdout


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_the_published_schema_is_the_one_of_the_class(event):
    file = schema_file(event)
    assert file.exists(), f"publish it: python -m shared.contracts {event.type.split('.')[1]}"
    assert file.read_text(encoding="utf-8") == written(schema_of(event)), (
        f"{event.type} has another shape than version {event.schema_version} was published with: make a new version"
    )


def test_a_published_schema_file_was_never_changed_or_taken_back():
    touched = git("log", "--diff-filter=MDR", "--format=", "--name-only", "--", "services/*/schemas/*.json").split()
    touched += git("diff", "--diff-filter=MDR", "--name-only", "HEAD", "--", "services/*/schemas/*.json").split()
    assert touched == []


def test_every_schema_file_has_a_class_that_reads_it():
    known = {event.type.rpartition(".")[2]: event.schema_version for event in EVENTS}
    for file in ROOT.glob("services/*/schemas/*.json"):
        name, version = file.name.removesuffix(".json").rsplit(".v", 1)
        assert int(version) <= known[name], file


def test_names_are_past_tense_facts_of_their_service():
    for event in EVENTS:
        crm, service, name = event.type.split(".")
        assert (crm, name) == ("crm", event.__name__)
        assert event.__module__ == f"services.{service}.events"
        assert not name.endswith(("Updated", "Changed", "Event", "Deleted")), name


def test_chains_of_upcasters_are_whole():
    check_upcasters(EVENTS)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_version_ever_published_has_a_golden_sample(event):
    for version in range(1, event.schema_version + 1):
        assert golden_events.path(event.type, version).exists(), f"record it: {golden_events.HOW}"


@pytest.mark.parametrize("file", sorted(golden_events.FOLDER.glob("*.v*.json")), ids=lambda file: file.name)
def test_a_golden_sample_is_still_read_and_its_hash_still_holds(file):
    recorded, codec, expected = golden_events.load(file)
    assert golden_events.holds(recorded, file)
    assert json.loads(codec.decode(recorded).model_dump_json()) == expected


def test_a_family_that_would_hold_something_else_has_another_version():
    now = {
        family.name: {str(family.version): family.fingerprint()}
        for service in services()
        for family in service.families
    }
    for name, versions in now.items():
        for version, fingerprint in versions.items():
            assert FINGERPRINTS.get(name, {}).get(version) == fingerprint, (
                f"{name} would hold something else: raise its version, then {golden_events.HOW}"
            )
