"""The command line `rapport`: all commands in one app, errors as one line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import Abort, TyperException

from services.commands import (
    access,
    backups,
    checks,
    customers,
    database,
    events,
    imports,
    moving,
    parked,
    relaying,
    serving,
    swapping,
    tracing,
    what_if,
)
from services.commands.composition import Composition
from services.commands.failure import BAD_INPUT, UNREACHABLE, Failure, ReaderGone
from shared.errors import RapportError

_INTERRUPTED = 130


def build() -> typer.Typer:
    """The app with all commands."""
    app = typer.Typer(
        name="rapport",
        help="Rapport: an event-sourced CRM. Start with `rapport up`, bring history in with `rapport import`.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    app.command()(serving.up)
    app.command()(serving.serve)
    app.add_typer(imports.app, name="import")
    app.add_typer(customers.app, name="customers")
    app.add_typer(what_if.app, name="analytics")
    app.add_typer(events.app, name="events")
    app.add_typer(checks.projections, name="projections")
    app.add_typer(swapping.app, name="replay")
    app.add_typer(parked.app, name="parked")
    app.command()(checks.verify)
    app.add_typer(access.staff, name="staff")
    app.add_typer(access.token, name="token")
    app.add_typer(serving.topics, name="topics")
    app.add_typer(relaying.relay, name="relay")
    app.add_typer(database.database, name="database")
    app.command()(tracing.trace)
    app.command()(moving.migrate)
    app.command()(backups.backup)
    app.command()(backups.restore)
    return app


def run(arguments: Sequence[str] | None, composition: Composition) -> int:
    """Runs one command line (None: the process's own) and gives its exit code."""
    try:
        ended = build()(args=arguments, standalone_mode=False, obj=composition)
    except Failure as failure:
        return _fail(str(failure), failure.code)
    except TyperException as error:
        return _fail(error.format_message().replace("Value error, ", ""), BAD_INPUT)
    except RapportError as error:
        return _fail(str(error), UNREACHABLE)
    except (Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except ReaderGone:
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return ended if isinstance(ended, int) else 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"rapport: {' '.join(message.split())}\n")
    return code
