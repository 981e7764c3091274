"""Whatever goes wrong is answered as ``application/problem+json`` (RFC 9457), in plain words."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from gateway.partners.answers import Problem
from gateway.partners.refused import PartnerRefused
from gateway.store.faults import DATABASE_FAULTS
from gateway.web.api.openapi import PROBLEM

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

log = structlog.get_logger(__name__)

_AWAY: tuple[type[Exception], ...] = (*DATABASE_FAULTS, TimeoutError)
_WORDS = {
    404: ("not_found", "there is nothing here; see /api/v1/docs"),
    405: ("method", "this address does not take that method; see the header Allow"),
    413: ("too_large", "the body is too large"),
}


@web.middleware
async def speak(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as a problem, without a word about our inside."""
    try:
        return await handler(request)
    except PartnerRefused as refused:
        log.info("partner refused", code=refused.code, status=refused.status, address=request.remote)
        return problem(refused)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        code, words = _WORDS.get(error.status, ("request", "the request cannot be answered"))
        return problem(PartnerRefused(error.status, code, words, **allow))
    except _AWAY as error:
        log.warning("partner API cannot reach the database", error=type(error).__name__)
        return problem(
            PartnerRefused(503, "unavailable", "nothing can be recorded just now: try again", Retry_After="5")
        )
    except Exception as error:
        log.exception("partner request failed", error=type(error).__name__)
        return problem(PartnerRefused(500, "failed", "something went wrong here; it has been logged"))


def problem(refused: PartnerRefused) -> web.Response:
    """Return the answer to a request that is not taken."""
    said = Problem(
        type=f"urn:tongda:problem:{refused.code}",
        title=HTTPStatus(refused.status).phrase,
        status=refused.status,
        detail=refused.sentence,
    )
    return web.Response(
        body=said.model_dump_json().encode(),
        content_type=PROBLEM,
        status=refused.status,
        headers=refused.headers,
    )
