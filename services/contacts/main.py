"""The contacts service as the platform mounts it."""

from __future__ import annotations

from pathlib import Path

from services.contacts import (
    api,
    card_api,
    card_edits,
    card_page,
    changes_page,
    directory,
    naming,
    pages,
    picker,
    reactions,
    register_page,
    standing_api,
)
from shared.service import Service

SERVICE = Service(
    "contacts",
    families=(directory.family,),
    # The card's path takes every reference, so that it comes last.
    routers=(
        standing_api.router,
        api.router,
        card_api.router,
        pages.router,
        picker.router,
        naming.router,
        register_page.router,
        changes_page.router,
        card_edits.router,
        card_page.router,
    ),
    templates=Path(__file__).parent / "templates",
    catch_up=reactions.catch_up,
)
