"""The published contract of every event: one JSON Schema file per type and version, beside the service that owns it.

A file that is there is never written again: a payload of another shape is a new version. `python -m shared.contracts`
writes the missing ones of the services named on the command line.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from shared.events import Event, registered


def schema_id(event: type[Event]) -> str:
    """The URN that names the schema in `ce_dataschema`."""
    return f"urn:rapport:{event.type}:{event.schema_version}"


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema of the payload as published; personal fields say that they travel encrypted."""
    schema = event.model_json_schema()
    for field in event.personal:
        schema["properties"][field]["x-personal"] = "encrypted with the subject's key as enc.v1.<base64url>"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": schema_id(event)}
    return head | schema


def schema_file(event: type[Event]) -> Path:
    """Where the schema stands: `schemas/<Event>.v<version>.json` beside the module of the event."""
    module = sys.modules[event.__module__].__file__
    if module is None:
        raise TypeError(f"{event.type} is defined in no file")
    name = event.type.rpartition(".")[2]
    return Path(module).parent / "schemas" / f"{name}.v{event.schema_version}.json"


def written(schema: dict[str, Any]) -> str:
    """The text of a schema file."""
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def publish(services: list[str]) -> list[Path]:
    """Write the schema files that are missing; gives their paths."""
    for service in services:
        importlib.import_module(f"services.{service}.events")
    made = []
    for event in registered():
        file = schema_file(event)
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_text(written(schema_of(event)), encoding="utf-8")
            made.append(file)
    return made


if __name__ == "__main__":
    sys.stdout.writelines(f"{file}\n" for file in publish(sys.argv[1:]))
