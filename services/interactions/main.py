"""The interactions service as the platform mounts it."""

from __future__ import annotations

from pathlib import Path

from services.interactions import api, interaction_page, pages, timeline
from shared.service import Service

SERVICE = Service(
    "interactions",
    families=(timeline.family,),
    routers=(api.router, pages.router, interaction_page.router),
    templates=Path(__file__).parent / "templates",
)
