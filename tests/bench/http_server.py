"""The product's side of D1-D3: the app that `rapport up` serves, in one process over a folder, everything on.

`--route standard` serves the same endpoints through FastAPI's own dependency solving; `--models` also keeps the read
models up to date, which no peer does. GC is set as `rapport up` sets it.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter

from services.cli import services
from shared import serving
from shared.embedded import opened
from shared.service import Service
from shared.settings import Settings
from shared.web.guard import GuardedRoute

_PATH = "/interactions/api/v1/interactions"


def standard(router: APIRouter) -> APIRouter:
    """The same endpoints as routes of FastAPI, guarded and read strictly as pages are."""
    plain = APIRouter(prefix="", route_class=GuardedRoute, tags=router.tags)
    for route in router.routes:
        plain.add_api_route(route.path, route.endpoint, methods=route.methods, status_code=route.status_code)
    return plain


def served(options: argparse.Namespace) -> Sequence[Service]:
    """The services as the options want them."""
    every = services()
    if not options.models:
        every = [replace(service, families=()) for service in every]
    if options.route == "standard":
        every = [replace(service, routers=tuple(map(standard, service.routers))) for service in every]
    return every


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, then say how many events there are."""
    async with opened(served(options), Settings(data=options.folder, port=0)) as running:
        token = running.platform.accounts.add_token("bench", "specialist")

        def announce(line: str) -> None:
            if line.startswith("http://"):
                headers = {"Authorization": f"Bearer {token}"}
                ready = {"port": urlsplit(line).port, "path": _PATH, "headers": headers}
                print(json.dumps(ready), flush=True)

        await serving.serve(running, announce)
        print(json.dumps({"events": await running.platform.log.store.position()}), flush=True)


def main() -> None:
    """Serve the variant that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--route", choices=["command", "standard"], default="command")
    parser.add_argument("--models", action="store_true")
    # Without read models there is nothing to probe, which ends a task that never ends in the product.
    logging.getLogger("shared.serving").setLevel(logging.CRITICAL)
    serving.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
