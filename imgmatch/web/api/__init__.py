"""The API, version 1: one module for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter

from imgmatch.web.api import accounts, checks, decisions, health, log, photos, rings

router = APIRouter()
for _part in (checks, photos, accounts, rings, decisions, log, health):
    router.include_router(_part.router)
