"""Static files are what the manifest says, small enough, and kept by browsers exactly as long as they are true."""

import gzip
import hashlib
import json

import httpx2
import pytest

from shared.web.assets import STATIC, Assets

VENDOR = STATIC / "vendor"
MANIFEST = json.loads((VENDOR / "MANIFEST.json").read_text())
FIRST_LOAD_BYTES = 150_000
PAGE_BYTES = 12_000


def client(assets):
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(assets), base_url="http://rapport")


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_a_vendored_file_is_the_one_the_manifest_names(entry):
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert entry["name"]
    assert entry["version"]
    assert entry["licence"]


def test_every_vendored_file_is_in_the_manifest_and_its_licence_beside_it():
    about = {"MANIFEST.json", "LICENCES.txt"}
    assert {path.name for path in VENDOR.iterdir()} - about == {entry["file"] for entry in MANIFEST}
    licences = (VENDOR / "LICENCES.txt").read_text()
    assert all(f"==== {entry['name']} ====" in licences for entry in MANIFEST)


def test_htmx_is_the_pinned_second_line():
    assert {entry["version"] for entry in MANIFEST if entry["name"] == "htmx.org"} == {"2.0.11"}


def test_the_first_load_of_a_page_without_plots_stays_small():
    names = (name for name in Assets()._files if name.endswith((".css", ".js", ".svg", ".woff2")))
    contents = [(STATIC / name).read_bytes() for name in names if not name.endswith("echarts.js")]
    assert sum(len(gzip.compress(content)) for content in contents) + PAGE_BYTES <= FIRST_LOAD_BYTES


def test_nothing_in_our_own_files_names_another_host():
    for name in ("rapport.css", "rapport.js", "plots.js"):
        assert "//" not in (STATIC / name).read_text().replace("// ", "")


async def test_a_file_with_its_hash_may_be_kept_for_ever_and_comes_compressed():
    assets = Assets()
    async with client(assets) as browser:
        answer = await browser.get(
            assets.url("rapport.css").removeprefix("/static"), headers={"accept-encoding": "gzip"}
        )
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.content == (STATIC / "rapport.css").read_bytes()


async def test_a_file_asked_for_by_another_release_is_answered_but_not_kept():
    async with client(Assets()) as browser:
        answer = await browser.get("/000000000000/vendor/htmx.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/x/../shell.py", "/x/%2e%2e/shell.py", "/x/vendor", "/x/nothing.css"])
async def test_only_the_files_of_the_folder_are_served(path):
    async with client(Assets()) as browser:
        assert (await browser.get(path)).status_code == 404


def test_the_address_changes_with_the_content(tmp_path):
    (tmp_path / "a.css").write_text("a{}")
    before = Assets(tmp_path).url("a.css")
    assert Assets(tmp_path).url("a.css") == before
    (tmp_path / "a.css").write_text("b{}")
    assert Assets(tmp_path).url("a.css") != before
    with pytest.raises(KeyError, match=r"no static file 'b\.css'"):
        Assets(tmp_path).url("b.css")
