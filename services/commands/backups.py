"""`rapport backup` and `rapport restore`: a folder kept elsewhere, and made again from what was kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer

from services.commands.composition import Keeping
from services.commands.failure import CHECK_FAILED, Failure
from services.commands.options import Data, Json, Progress, composition, target
from services.commands.output import print_facts, print_json, print_line
from services.commands.progress import Report, followed, reporting
from shared.backups.files import Unsuitable

_UNITS = {"copying": "pages", "keys": "pages", "checking": "events"}


def backup(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup: a new folder.")],
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            help="Also copy the subjects' keys, into a new file apart from the backup. Without it, none are copied.",
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Back a data folder up, also while it is served: nobody who writes waits for it.

    The backup is one moment of the log, checked from its first event to its last, and the accounts. Ends with exit
    code 1, and without a backup, when the log is damaged.
    """
    keeping = Keeping(_data(data), folder, keys)
    with reporting(progress) as report:
        result = _kept(composition(ctx).backup(keeping), report)
    _tell(result, "Backed up", as_json=as_json)
    if not as_json:
        print_line(f"{folder} holds the log up to position {result['head']}.", "green")
        if keys is None:
            print_line("No keys were copied: without them, personal fields of a restored log cannot be read.", "yellow")
        else:
            print_line(f"{keys} holds {result['keys']} keys. Keep it apart, and only until the next one.")


def restore(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup.")],
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help="The file that `rapport backup --keys` has written.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
    progress: Progress = None,
) -> None:
    """Make a data folder from a backup: it must be empty, or not there.

    Everything is checked before the folder is there; keys that the log says are erased are destroyed again. Read
    models are built when the folder is first served. Ends with exit code 1 when the backup is damaged.
    """
    keeping = Keeping(_data(data), folder, keys)
    with reporting(progress) as report:
        result = _kept(composition(ctx).restore(keeping), report)
    _tell(result, "Restored", as_json=as_json)
    if as_json:
        return
    if result["destroyed"]:
        print_line(f"{result['destroyed']} keys were destroyed again: their subjects were erased.")
    if result["unreadable"]:
        print_line(
            f"Of {result['unreadable']} subjects there is no key: their personal fields cannot be read, and nothing"
            " new can be recorded about them. To change that, restore again with the keys.",
            "yellow",
        )
    print_line(f"{keeping.data} holds what the backup holds.", "green")


def _data(data: Path | None) -> Path:
    place = target(data)
    if place.url:
        raise Failure("--data: backups are made beside the folder, not over RAPPORT_URL: name the folder")
    return place.data


def _kept(reports: AsyncGenerator[dict[str, Any], None], report: Report) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with aclosing(reports):
            return await followed(reports, report, "the work", _UNITS)

    try:
        return asyncio.run(run())
    except Unsuitable as error:
        raise Failure(str(error)) from None


def _tell(result: dict[str, Any], title: str, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    if not result["ok"]:
        raise Failure(f"{result['damage']}: nothing was written", CHECK_FAILED)
    if not as_json:
        print_facts(title, {name: result[name] for name in ("events", "streams", "head", "checksum")})
