"""The portal as the platform mounts it."""

from __future__ import annotations

from pathlib import Path

from services.portal import api, catalogue, catalogue_api, order_page, orders, pages
from shared.service import Service

SERVICE = Service(
    "portal",
    families=(orders.family, catalogue.family),
    routers=(api.router, catalogue_api.router, pages.router, order_page.router),
    templates=Path(__file__).parent / "templates",
)
