"""Promises that the repository makes about its own files."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
MODULE_LINES = 250
LONGER_FOR_A_REASON: dict[str, str] = {}

TEXTS = {".py", ".md", ".toml", ".sh", ".xml", ".html", ".css", ".po", ".pot", ".json", ".lock", ".yml", ".yaml", ""}
HOSTS = {
    "www.apache.org": "the licence",
    "maven.apache.org": "name of an XML vocabulary",
    "json-schema.org": "name of a vocabulary",
    "www.w3.org": "name of a vocabulary",
    "keepachangelog.com": "form of the changelog",
    "semver.org": "meaning of a version",
    "creativecommons.org": "licence of a data set",
    "doi.org": "origin of a data set",
}
"""Public hosts that the text may name. Reserved example names and hosts without a dot are nobody's."""
ADDRESS = re.compile(r"\b[a-z][a-z+]*://(?:[^\s/@'\"]*@)?((?:[a-z0-9-]+\.)+[a-z]+)", re.IGNORECASE)
RESERVED = re.compile(r"(^|\.)(example|test|invalid|localhost|example\.(com|org|net))$")
SOMEBODYS_FOLDER = re.compile(r"(?<![\w.}/])/(?:home|Users|root|work)/\w")
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error")))


def pins(lock: str) -> dict[str, list[str]]:
    """Requirement line to the options that follow it."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    entries = text.replace("\\\n", " ").strip().splitlines()
    return {entry.partition(" --")[0].strip(): re.findall(r"--\S+", entry) for entry in entries}


def texts() -> Iterator[Path]:
    for top in sorted(ROOT.iterdir()):
        if top.name in {".ci", "deploy", "docs", "services", "shared", "tests"}:
            yield from (path for path in sorted(top.rglob("*")) if path.is_file() and is_ours(path))
        elif top.is_file() and is_ours(top):
            yield top


def is_ours(path: Path) -> bool:
    vendored = "static" in path.parts and path.suffix in {".js", ".css"}
    return path.suffix in TEXTS and "__pycache__" not in path.parts and not vendored and path.name != ".coverage"


def found(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    return [
        (f"{path.relative_to(ROOT)}:{number}", match[match.lastindex or 0])
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        for match in pattern.finditer(line)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_with_hashes_and_names_no_address(lock):
    for requirement, options in pins(lock).items():
        assert re.match(r"[a-z0-9.-]+==\S+( ; .+)?$", requirement), requirement
        assert options, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), requirement
    assert "://" not in (ROOT / lock).read_text()


def test_what_runs_in_production_is_what_the_tests_run_with():
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_the_locks_hold_what_the_package_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = {
        "requirements.lock": [*project["dependencies"], *extras["demo"]],
        "requirements-dev.lock": [*project["dependencies"], *extras["demo"], *extras["dev"]],
    }
    for lock, requirements in declared.items():
        pinned = [Requirement(pin) for pin in pins(lock)]
        for requirement in map(Requirement, requirements):
            versions = [
                str(pin.specifier).removeprefix("==")
                for pin in pinned
                if pin.name.lower() == requirement.name.lower().replace("_", "-")
            ]
            assert versions, f"{lock} lacks {requirement}: `make lock`"
            assert all(map(requirement.specifier.contains, versions)), f"{lock} is older than {requirement}"


def test_a_module_is_short_or_says_why_not():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in ("services", "shared")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name for name, lines in lengths.items() if lines > MODULE_LINES} == set(LONGER_FOR_A_REASON)


def test_the_text_names_only_hosts_that_have_a_reason():
    assert [hit for hit in found(ADDRESS) if hit[1] not in HOSTS and not RESERVED.search(hit[1])] == []


def test_the_text_names_no_folder_of_somebodys_machine():
    assert found(SOMEBODYS_FOLDER) == []


def test_nothing_is_marked_as_unfinished():
    assert found(UNFINISHED) == []
