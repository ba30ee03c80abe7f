"""Analytics: how loyal customers are, and when they come back."""

from __future__ import annotations

from pathlib import Path

from services.analytics import api, fragments, pages
from services.analytics.purchase_days import family
from shared.service import Service

SERVICE = Service(
    "analytics",
    families=(family,),
    routers=(api.router, pages.router, fragments.router),
    templates=Path(__file__).parent / "templates",
)
