"""The portal as the platform mounts it."""

from __future__ import annotations

from pathlib import Path

from services.portal import api, catalogue, catalogue_api, orders
from shared.service import Service

SERVICE = Service(
    "portal",
    families=(orders.family, catalogue.family),
    routers=(api.router, catalogue_api.router),
    templates=Path(__file__).parent / "templates",
)
