"""``POST /receipts/{channel}``: delivery reports that a provider posts; see gateway.receipts.callback."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.receipts import callback
from gateway.receipts.callback import CallbackRefused
from gateway.web.guard import refuse
from gateway.web.state import STATE, NotDurable, record

BODY_WITHIN = 10.0
"""Seconds that a body may take to arrive."""


async def take(request: web.Request) -> web.Response:
    """Answer 204 once every receipt is durable, and not before.

    References that we do not know are taken as well: the answer to their submission may still
    be on its way, and a stranger learns nothing from the difference.
    """
    state = request.app[STATE]
    route = request.match_info["route"]
    channel, _, drill = route.partition(".")
    keys = state.keys.callbacks.get(route)
    if not keys:
        return refuse(404, "no callback key is set for this channel")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return refuse(415, "send the body as it was signed, not compressed")
    async with asyncio.timeout(BODY_WITHIN):
        body = await request.read()
    try:
        stamp, signature = (request.headers.get(name) for name in (callback.TIMESTAMP, callback.SIGNATURE))
        callback.verify(route, stamp, signature, body, keys, state.clock.now())
        receipts = callback.parse(body)
    except CallbackRefused as refused:
        return refuse(refused.status, str(refused))
    try:
        await record(state.sink(channel, "provider", drill or "live"), receipts, state.durable_within)
    except NotDurable:
        return refuse(503, **{"Retry-After": "5"})
    return web.Response(status=204)
