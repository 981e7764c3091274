"""A form's own number: whatever is clicked twice is done once, and both clicks lead to the same page."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.store import once as store
from gateway.store.faults import DATABASE_FAULTS, took_back

if TYPE_CHECKING:
    from gateway.web.console.routing import Handler
    from gateway.web.console.visit import Visit

FIELD = "once"
_NUMBER = re.compile(r"[0-9a-zA-Z_-]{16,64}")
_LOOKS = 50
_EVERY = 0.2


def number() -> str:
    """Return a number for a form that is shown."""
    return secrets.token_urlsafe(16)


async def run(visit: Visit, handler: Handler) -> web.StreamResponse:
    """Take the step of a form, or lead where its first click led."""
    given = str((await visit.form()).get(FIELD, ""))
    if not _NUMBER.fullmatch(given):
        return await handler(visit)
    database, login = visit.console.database, visit.login
    async with database.begin() as connection:
        first = await store.begin(connection, given, login, visit.now)
    if not first:
        return await _follow(visit, handler, given)
    try:
        response = await handler(visit)
    except DATABASE_FAULTS as error:
        if took_back(error):
            await _finish(visit, given, None)
        raise  # else it is not known whether it was done: the number stays taken
    except BaseException:
        await _finish(visit, given, None)
        raise
    led = response.headers.get("Location") if response.status == web.HTTPSeeOther.status_code else None
    await _finish(visit, given, led)
    return response


async def _finish(visit: Visit, given: str, led: str | None) -> None:
    with suppress(*DATABASE_FAULTS):  # what was done, or refused, is so all the same
        async with visit.console.database.begin() as connection:
            await store.finish(connection, given, visit.login, led)


async def _follow(visit: Visit, handler: Handler, given: str) -> web.StreamResponse:
    for _ in range(_LOOKS):
        async with visit.console.database.begin() as connection:
            led = await store.led_to(connection, given, visit.login)
        if led is None:  # the first one was refused: nothing was done
            return await run(visit, handler)
        if led:
            return visit.go(led)
        await asyncio.sleep(_EVERY)
    return visit.refused(
        visit.say("The first click is still under way: look at the page again before you repeat it."), 409
    )
