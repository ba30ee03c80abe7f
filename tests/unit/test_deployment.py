"""What the files that start Rapport in containers promise, as the real Compose and the real linter read them."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
COMPOSE = [PROGRAMS / "docker-compose", "--file", ROOT / "docker-compose.yml", "--env-file", os.devnull]
SERVICES = {"contacts", "interactions", "portal", "analytics"}
JOBS = {"topics", "database"}
SERVERS = {"eventstore", "kafka", "postgres"}
KURRENTDB = "kurrentplatform/kurrentdb:26.0.3"
FULL_TAG = re.compile(r"[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z0-9.-]+)?|postgres:\d+\.\d+-[a-z]+")
FAKE_DOCKER = """#!/bin/sh
echo "$@" >>docker.log
if [ "$2" = port ]; then echo 127.0.0.1:8123; fi
"""


def compose(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMPOSE, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def configured(**variables: str) -> dict:
    done = compose("config", "--format", "json", **{"POSTGRES_PASSWORD": "secret"} | variables)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def services() -> dict:
    return configured()["services"]


def dockerfile() -> list[str]:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+", " ", line) for line in lines if line]


def make(target: str, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", folder)
    command = [shutil.which("make"), "--no-print-directory", target]
    return subprocess.run(command, cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("given", [{}, {"EVENTSTORE_IMAGE": KURRENTDB}], ids=["EventStoreDB", "KurrentDB"])
def test_one_variable_chooses_the_event_store(given):
    store = configured(**given)["services"]["eventstore"]
    assert store["image"] == given.get("EVENTSTORE_IMAGE", "eventstore/eventstore:23.10.7-bookworm-slim")
    settings = store["environment"]
    of_prefix = [
        {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}
        for prefix in ("EVENTSTORE_", "KURRENTDB_")
    ]
    assert of_prefix[0] == of_prefix[1]
    assert len(settings) == 2 * len(of_prefix[0])
    assert {volume["target"] for volume in store["volumes"]} == {"/var/lib/eventstore", "/var/lib/kurrentdb"}


def test_without_a_password_compose_says_who_makes_one():
    done = compose("config", "--quiet")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "POSTGRES_PASSWORD" in done.stderr
    assert "make up" in done.stderr


def test_the_file_starts_what_these_tests_know_of(services):
    assert set(services) == SERVICES | JOBS | SERVERS | {"gateway"}


def test_every_setting_is_one_that_rapport_reads(services):
    known = {f"RAPPORT_{name.upper()}" for name in Settings.model_fields}
    for name in SERVICES | JOBS:
        given = services[name]["environment"]
        assert given
        assert set(given) <= known, name


def test_every_image_is_pinned_to_a_full_version(services):
    images = {service["image"] for service in services.values()} | {KURRENTDB}
    assert [image for image in images if not FULL_TAG.fullmatch(image)] == []
    pinned = [line.removeprefix("ARG PYTHON=") for line in dockerfile() if line.startswith("ARG PYTHON=")]
    assert FULL_TAG.fullmatch(f"python:{pinned[0]}")
    assert {line.partition(" AS ")[0] for line in dockerfile() if line.startswith("FROM")} == {"FROM python:${PYTHON}"}


def test_our_own_image_carries_the_version_of_the_package(services):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {services[name]["image"] for name in SERVICES | JOBS} == {f"rapport:{version}"}
    for name in SERVICES | JOBS:
        assert services[name]["build"] == {"context": str(ROOT), "dockerfile": "deploy/Dockerfile"}


def test_the_gateway_alone_is_published_and_only_on_this_machine():
    services = configured(RAPPORT_PORT="8123")["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"gateway"}
    published = services["gateway"]["ports"]
    assert [(port["host_ip"], port["published"], port["target"]) for port in published] == [("127.0.0.1", "8123", 8080)]


def test_the_gateway_reaches_the_services_and_no_server(services):
    networks = {name: set(service["networks"]) for name, service in services.items()}
    assert networks["gateway"] == {"gateway"}
    assert {frozenset(networks[name]) for name in SERVICES} == {frozenset({"gateway", "servers"})}
    assert {frozenset(networks[name]) for name in SERVERS | JOBS} == {frozenset({"servers"})}
    assert configured()["networks"]["servers"]["internal"] is True


def test_nothing_may_gain_privileges_or_grow_without_limit(services):
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert int(service["mem_limit"]) <= 2 * 1024**3, name


def test_what_serves_pages_writes_nothing_but_temporary_files(services):
    for name in SERVICES | JOBS | {"gateway"}:
        assert services[name]["read_only"] is True, name
        assert services[name]["tmpfs"][0].partition(":")[0] == "/tmp", name  # noqa: S108, the container's own
        assert "user" not in services[name], name
    for name in SERVICES | JOBS:
        assert "volumes" not in services[name], name
        folder = services[name]["environment"]["RAPPORT_DATA"]
        assert f"{folder}:mode=0700,uid=10001,gid=10001" in services[name]["tmpfs"], name


def test_the_image_runs_as_a_user_without_privileges_and_without_a_shell():
    last_stage = dockerfile()[max(n for n, line in enumerate(dockerfile()) if line.startswith("FROM")) :]
    assert "USER 10001:10001" in last_stage
    assert "STOPSIGNAL SIGTERM" in last_stage
    assert 'ENTRYPOINT ["rapport"]' in last_stage
    assert [line for line in last_stage if line.startswith("HEALTHCHECK") and "/livez" in line]
    assert [line for line in last_stage if line.startswith("COPY")] == ["COPY --from=build /opt/rapport /opt/rapport"]


def test_the_image_is_built_from_the_hashes_of_the_lock():
    installs = [line for line in dockerfile() if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--requirement requirements.lock" in installs[0]
    assert "--no-deps" in installs[1]
    assert "--no-build-isolation" in installs[1]


def test_the_builder_sees_what_it_copies_and_nothing_else():
    first, *rest = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert first == "*"
    allowed = {line.removeprefix("!") for line in rest if line.startswith("!")}
    copied = [line.split()[1:-1] for line in dockerfile() if line.startswith("COPY ") and "--from" not in line]
    assert allowed == {name for names in copied for name in names}
    assert all((ROOT / name).exists() for name in allowed)


def test_the_linter_has_nothing_to_say_of_the_dockerfile():
    done = subprocess.run(
        [PROGRAMS / "hadolint", "--no-color", ROOT / "deploy" / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_a_service_starts_once_its_servers_are_healthy_and_prepared(services):
    for name in SERVICES:
        assert services[name]["command"] == ["serve", name]
        assert conditions(services[name]) == {
            "eventstore": "service_healthy",
            "topics": "service_completed_successfully",
            "database": "service_completed_successfully",
        }
    assert services["topics"]["command"] == ["topics", "create"]
    assert conditions(services["topics"]) == {"kafka": "service_healthy"}
    assert services["database"]["command"] == ["database", "upgrade"]
    assert conditions(services["database"]) == {"postgres": "service_healthy"}
    assert conditions(services["gateway"]) == dict.fromkeys(SERVICES, "service_healthy")


def conditions(service: dict) -> dict[str, str]:
    return {name: dependency["condition"] for name, dependency in service["depends_on"].items()}


def test_jobs_run_once_and_everything_else_comes_back_after_a_crash(services):
    for name, service in services.items():
        assert service["restart"] == ("no" if name in JOBS else "unless-stopped"), name
    for name in SERVERS | {"gateway"}:
        assert services[name]["healthcheck"]["test"], name
    for name in SERVICES:
        assert "healthcheck" not in services[name], f"{name} keeps the image's own"
        assert services[name]["init"] is True
        assert services[name]["stop_grace_period"] == "15s"


def test_a_service_can_have_replicas(services):
    for name in SERVICES:
        assert {"container_name", "hostname", "ports"} & set(services[name]) == set()
        assert "RAPPORT_INSTANCE" not in services[name]["environment"]


def test_every_mounted_file_is_in_the_repository(services):
    mounts = [mount for service in services.values() for mount in service.get("volumes", []) if mount["type"] == "bind"]
    assert len(mounts) == 2
    for mount in mounts:
        assert Path(mount["source"]).exists()
        assert mount["read_only"] is True


def test_the_documentation_names_the_images_that_are_started(services):
    running = (ROOT / "docs" / "running.md").read_text()
    for image in {services[name]["image"] for name in SERVERS | {"gateway"}} | {KURRENTDB}:
        assert f"`{image}`" in running


@pytest.mark.parametrize("target", ["up", "down"])
def test_make_says_what_it_misses_where_there_is_no_docker(target, tmp_path):
    done = make(target, tmp_path, path="/nowhere")
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "This needs Docker with its Compose plugin (docker compose)."
    assert not (tmp_path / ".env").exists()


def test_make_up_writes_a_password_for_its_owner_alone_and_keeps_it(tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text(FAKE_DOCKER)
    (programs / "docker").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    done = make("up", tmp_path, path)
    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:8123/" in done.stdout
    assert "docker compose logs database" in done.stdout
    password = (tmp_path / ".env").read_text()
    assert re.fullmatch(r"POSTGRES_PASSWORD=[0-9a-f]{48}\n", password)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert "compose up --detach --build --wait" in (tmp_path / "docker.log").read_text().splitlines()
    assert make("up", tmp_path, path).returncode == 0
    assert (tmp_path / ".env").read_text() == password
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
