"""``/c/{token}``: a responsible person's confirm link. Looking confirms nothing; the button does.

Mail gateways and messengers fetch every link that passes through them, so a GET must not
confirm. The token is the right to confirm: there is no session that a foreign page could ride on.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from typing import Any

import structlog
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from channels.base import Proof, Receipt
from gateway.receipts.confirm import read_token
from gateway.share import share
from gateway.store import confirm as store
from gateway.web.guard import CSP
from gateway.web.state import STATE, NotDurable, State, record

log = structlog.get_logger(__name__)

_DEAD = {"cancelled": "cancelled", "updated": "updated"}


async def look(request: web.Request) -> web.Response:
    """Show the warning's headline and the button."""
    row, failure = await _find(request)
    if row is None:
        return failure
    return _page(request, row, "done" if row.state == Proof.CONFIRMED else "ask")


async def press(request: web.Request) -> web.Response:
    """Record the confirmation, then say that it is recorded; pressing twice is fine."""
    row, failure = await _find(request)
    if row is None:
        return failure
    state = request.app[STATE]
    if row.state != Proof.CONFIRMED:
        receipt = Receipt(Proof.CONFIRMED, delivery=row.id, code="link", at=state.clock.now())
        try:
            await record(state.sink(row.channel, "person", row.mode), [receipt], state.durable_within)
        except NotDurable:
            return _page(request, row, "again", 503)
    return _page(request, row, "done")


async def _find(request: web.Request) -> tuple[Any, web.Response]:
    """Return the delivery's row, or None and the answer that tells why there is none."""
    state = request.app[STATE]
    delivery = read_token(request.match_info["token"], state.keys.confirm)
    if delivery is None:
        return None, _page(request, None, "wrong", 404)
    try:
        row = await store.confirmation(state.database, delivery)
    except Exception as error:  # noqa: BLE001 - whatever the driver raises, the person should try again
        log.warning("confirm page waits for the database", error=type(error).__name__)
        return None, _page(request, None, "again", 503)
    return row, _page(request, None, "wrong", 404)


def _page(request: web.Request, row: Any, step: str, status: int = 200) -> web.Response:  # noqa: ANN401 - a row
    state = request.app[STATE]
    content = dict(row.content or {}) if row is not None else {}
    language = str(content.get("language") or _wanted(request))
    page = _template().render(
        css=_css(),
        zh=language.lower().startswith("zh"),
        language=language,
        step=step,
        content=content,
        level=row.level if row is not None else "",
        drill=row is not None and row.mode == "drill",
        sent=_moment(content.get("sent"), state),
        over=_over(row, state),
        known=row is not None,
    )
    headers = {"Content-Security-Policy": CSP.format(style=_css_hash())}
    return web.Response(text=page, content_type="text/html", status=status, headers=headers)


def _wanted(request: web.Request) -> str:
    """Return the language for a page that knows no delivery: English only for whoever asks for it first."""
    return "en" if request.headers.get("Accept-Language", "").lower().startswith("en") else "zh-CN"


def _over(row: Any, state: State) -> str:  # noqa: ANN401 - a row
    """Return why the warning no longer holds: ``cancelled``, ``updated``, ``expired`` or nothing."""
    if row is None:
        return ""
    return _DEAD.get(row.alert_state, "expired" if row.expires <= state.clock.now() else "")


def _moment(sent: str | None, state: State) -> str:
    if not sent:
        return ""
    return f"{datetime.fromisoformat(sent).astimezone(state.zone):%Y-%m-%d %H:%M}"


@cache
def _template() -> Any:  # noqa: ANN401 - jinja2's template
    loader = FileSystemLoader(share("templates/web"))
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("confirm.html")


@cache
def _css() -> str:
    return share("templates/web/confirm.css").read_text(encoding="utf-8")


@cache
def _css_hash() -> str:
    # The page carries its style, so that one request is enough on a weak network; CSP allows just that one.
    return "'sha256-" + base64.b64encode(hashlib.sha256(_css().encode()).digest()).decode() + "'"
