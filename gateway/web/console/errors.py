"""What goes wrong below ``/desk`` is a page in the language of who asked, and tells nothing of our inside."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from gateway.store.faults import DATABASE_FAULTS
from gateway.web.console.filters import N_
from gateway.web.console.parts import CONSOLE
from gateway.web.console.session_cookie import recognise
from gateway.web.console.visit import Visit, language_of

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

log = structlog.get_logger(__name__)

WORDS = {
    400: N_("What your browser sent cannot be read. Nothing was done."),
    404: N_("There is nothing here, or not for you."),
    405: N_("This address does not take that. Nothing was done."),
    413: N_("This is too large. Nothing was done; a form with its files has at most %(size)s MB."),
    500: N_("Something went wrong here. It has been logged; look whether it was done before you repeat it."),
}
LARGEST_FORM = 12 * 2**20
"""Bytes of a form with its files, of somebody who is signed in; strangers' forms are small."""


@web.middleware
async def as_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors with a page."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        kept = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return await _page(request, error.status, kept)
    except ConnectionResetError:
        raise
    except Exception as error:
        log.exception("console failed", error=type(error).__name__)
        return await _page(request, 500, {})


async def _page(request: web.Request, status: int, headers: dict[str, str]) -> web.Response:
    console = request.config_dict[CONSOLE]
    visit = Visit(console, request, console.clock.now(), None, language_of(request))
    with suppress(*DATABASE_FAULTS):  # the page is then one for strangers
        await recognise(visit)
    known = status if status in WORDS else 500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400
    response = visit.refused(visit.say(WORDS[known], size=LARGEST_FORM // 2**20), status)
    response.headers.update(headers)
    return response
