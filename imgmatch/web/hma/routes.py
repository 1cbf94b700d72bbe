"""All routes of HMA: one module for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter

from imgmatch.web.hma import banks, contents, exchanges, hashing, matching, status

router = APIRouter()
for _part in (hashing, matching, banks, contents, exchanges, status):
    router.include_router(_part.router)
