"""``/cap/``: public releases as CAP documents, and their index; what everybody may fetch."""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from aiohttp import ETag, web

from gateway.publish import index
from gateway.publish.webhooks import cap_url
from gateway.store import publish as store
from gateway.web.guard import refuse
from gateway.web.state import STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gateway.settings import Settings

FOR_EVER = "public, max-age=31536000, immutable"
FOR_A_MOMENT = "public, max-age=10"
"""The index: a poller behind a cache is at most this late."""
_OPEN = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
_ENCODED = "; charset=utf-8"

_Write: TypeAlias = "Callable[[index.Head, Sequence[index.Entry]], bytes]"


class Publishing(NamedTuple):
    """What the index says of itself."""

    base_url: str
    title: str
    author: str
    most: int


PUBLISHING = web.AppKey("publishing", Publishing)


def add_routes(app: web.Application, settings: Settings) -> None:
    """Serve ``/cap/`` where anything is published."""
    if not settings.publish.active:
        return
    base_url = settings.publish.base_url or settings.web.base_url
    publish = settings.publish
    app[PUBLISHING] = Publishing(base_url.rstrip("/"), publish.title, settings.desk.name, publish.most)
    app.add_routes(
        [
            web.get("/cap/atom.xml", atom),
            web.get("/cap/rss.xml", rss),
            web.get(r"/cap/{identifier:[^/{}\s]{1,200}}.xml", document),
        ]
    )


async def document(request: web.Request) -> web.StreamResponse:
    """Answer with the bytes of one publication, which never change."""
    identifier = request.match_info["identifier"]
    if not identifier.isprintable():  # PostgreSQL knows no NUL
        return refuse(404)
    async with request.app[STATE].database.begin() as connection:
        found = await store.served(connection, identifier)
    if found is None:
        return refuse(404)
    response = _answer(request, found.xml, found.sha256, index.CAP_TYPE, FOR_EVER, found.published_at)
    response.last_modified = found.published_at
    return response


async def atom(request: web.Request) -> web.StreamResponse:
    """Answer with the index as Atom."""
    return await _index(request, index.atom, index.ATOM_TYPE)


async def rss(request: web.Request) -> web.StreamResponse:
    """Answer with the index as RSS."""
    return await _index(request, index.rss, index.RSS_TYPE)


async def _index(request: web.Request, write: _Write, media_type: str) -> web.StreamResponse:
    own, now = request.app[PUBLISHING], request.app[STATE].clock.now()
    async with request.app[STATE].database.begin() as connection:
        listed = await store.index(connection, now, own.most)
        changed = await store.index_changed(connection, now)
    entries = [
        index.Entry(cap_url(own.base_url, one.identifier), one.published_at, one.summary) for one in listed
    ]
    head = index.Head(own.title, own.author, f"{own.base_url}{request.path}", f"{own.base_url}/", changed)
    body = write(head, entries)
    tag = hashlib.sha256(body).hexdigest()
    response = _answer(request, body, tag, media_type, FOR_A_MOMENT)
    response.last_modified = changed or index.BEFORE_ALL
    return response


def _answer(
    request: web.Request, body: bytes, tag: str, media_type: str, kept: str, made: datetime | None = None
) -> web.Response:
    """Answer 304 where the asker has these bytes, else with them.

    Args:
        request: of the asker.
        body: the bytes.
        tag: names them.
        media_type: theirs.
        kept: how long caches keep them.
        made: when, where they never change. What changes goes by the tag alone: of two changes within a
            second ``If-Modified-Since`` would hide the second one for good.
    """
    how = {"Cache-Control": kept, **_OPEN}
    response = web.Response(status=304, headers=how)
    if not _has(request, tag, made):
        response = web.Response(body=body, headers=how | {"Content-Type": media_type + _ENCODED})
    response.etag = ETag(tag)
    return response


def _has(request: web.Request, tag: str, made: datetime | None) -> bool:
    # If-None-Match counts alone where it is there (RFC 9110, 13.2.2).
    if request.if_none_match is not None:
        return any(one.value in {tag, "*"} for one in request.if_none_match)
    since = request.if_modified_since
    if made is None or since is None:
        return False
    return made.astimezone(UTC).replace(microsecond=0) <= since
