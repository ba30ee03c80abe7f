"""Analytics: how loyal customers are, and when they come back."""

from __future__ import annotations

from services.analytics import api
from services.analytics.purchase_days import family
from shared.service import Service

SERVICE = Service("analytics", families=(family,), routers=(api.router,))
