"""``/healthz``: the process is alive. ``/readyz``: it can do its work, or what keeps it from it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.store import health
from gateway.web.state import STATE

if TYPE_CHECKING:
    from collections.abc import Awaitable

WITHIN = 3.0
"""Seconds that a service has to answer."""


async def alive(_: web.Request) -> web.Response:
    """Answer, and so prove that the loop runs."""
    return web.json_response({"alive": True})


async def ready(request: web.Request) -> web.Response:
    """Answer 200 where every check is ``ok``, else 503 with the check that is not."""
    state = request.app[STATE]
    database, redis = await asyncio.gather(
        _revision(health.revision(state.database)), _ping(state.redis.ping())
    )
    checks = {"database": "cannot be reached", "migrations": "not known", "redis": redis}
    if database is not None:
        checks |= {"database": "ok", "migrations": _compare(database)}
    good = all(answer == "ok" for answer in checks.values())
    return web.json_response({"ready": good, "checks": checks}, status=200 if good else 503)


def _compare(revision: str) -> str:
    if revision == health.head():
        return "ok"
    return f"the database is at {revision or 'nothing'}, this version needs {health.head()}: migrate it"


async def _revision(question: Awaitable[str | None]) -> str | None:
    try:
        return await asyncio.wait_for(question, WITHIN) or ""
    except Exception:  # noqa: BLE001 - whatever the driver raises, it is not ready
        return None


async def _ping(question: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(question, WITHIN)
    except Exception:  # noqa: BLE001 - whatever the driver raises, it is not ready
        return "cannot be reached"
    return "ok"
