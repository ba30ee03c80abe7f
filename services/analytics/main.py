"""Analytics: how loyal customers are, and when they come back."""

from __future__ import annotations

from pathlib import Path

from services.analytics import api, closer, days_api, evidence, fragments, insight_api, models_api, pages, standing
from services.analytics.purchase_days import family
from shared.service import Service

SERVICE = Service(
    "analytics",
    families=(family, evidence.family, standing.family),
    routers=(api.router, insight_api.router, models_api.router, days_api.router, pages.router, fragments.router),
    templates=Path(__file__).parent / "templates",
    reaction=closer.run,
)
