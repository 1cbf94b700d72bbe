"""The pages that moderators work with: one module for each."""

from __future__ import annotations

from fastapi import APIRouter

from imgmatch.web.pages import account, check, decisions, figures, login, queue, ring
from imgmatch.web.pages.base import static_files

__all__ = ["router", "static_files"]

router = APIRouter(include_in_schema=False)
for _page in (login, check, account, queue, ring, decisions, figures):
    router.include_router(_page.router)
