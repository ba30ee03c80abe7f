"""The contacts service as the platform mounts it."""

from __future__ import annotations

from pathlib import Path

from services.contacts import api, directory
from shared.service import Service

SERVICE = Service(
    "contacts",
    families=(directory.family,),
    routers=(api.router,),
    templates=Path(__file__).parent / "templates",
)
