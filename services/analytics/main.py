"""Analytics: how loyal customers are, and when they come back."""

from __future__ import annotations

from pathlib import Path

from services.analytics import (
    api,
    closer,
    cohorts_page,
    customer_page,
    customers_page,
    days_api,
    evidence,
    fragments,
    insight_api,
    intervals_page,
    loyalty_page,
    models_api,
    movements_page,
    pages,
    standing,
    tables,
    timing_api,
    value_page,
    what_if_api,
    what_if_page,
    why_page,
)
from services.analytics.purchase_days import family
from shared.service import Service

SERVICE = Service(
    "analytics",
    families=(family, evidence.family, standing.family),
    routers=(
        api.router,
        insight_api.router,
        models_api.router,
        timing_api.router,
        days_api.router,
        what_if_api.router,
        pages.router,
        intervals_page.router,
        loyalty_page.router,
        what_if_page.router,
        value_page.router,
        cohorts_page.router,
        movements_page.router,
        customers_page.router,
        customer_page.router,
        why_page.router,
        tables.router,
        fragments.router,
    ),
    templates=Path(__file__).parent / "templates",
    reaction=closer.run,
)
