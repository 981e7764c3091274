"""The vendor's robots, played on a loopback port with the answers that the vendor gives."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from channels.base import LedgerEntry, Simulator
from channels.wecom.adapter import PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

MESSAGES: Final = {
    -1: "system busy",
    40008: "invalid message type",
    40058: "content exceed max length. invalid Request Parameter",
    44004: "empty content",
    45009: "api freq out of limit",
    93000: "invalid webhook url",
}
LIMITS: Final = {"text": 2048, "markdown": 4096}
"""Bytes of UTF-8 by message type, as the vendor's page says."""
MORE: Final = "hint: [1795312800_1_0123456789abcdef], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e="


class WecomSimulator(Simulator):
    """Plays every robot whose key it is asked for; attributes may be changed while it runs.

    Attributes:
        latency: seconds before an answer.
        per_minute: messages one robot may send in 60 s before it gets 45009; 0 lifts the limit.
        errcode: answered instead of taking the message; ``errcode_share`` of the robots get it.
        errcodes: the same for single keys.
        status: HTTP status answered instead of taking the message (200 is normal).
        redirect: answer 302 to another address.
        cut_share: share of requests whose connection is closed before the message is taken.
        hang: take the message and never answer.
        drop_share: share of messages taken whose connection is closed without an answer.
        giant: take the message and answer 1 GB.
        garbage: take the message and answer 200 with a body that is not JSON.
        peak: the most requests that were unanswered at one time.
        requests: all requests that came, taken or not.
    """

    def __init__(self) -> None:
        """Play a healthy provider until told otherwise."""
        self.latency = 0.0
        self.per_minute = 20
        self.errcode = 0
        self.errcode_share = 1.0
        self.errcodes: dict[str, int] = {}
        self.status = 200
        self.redirect = False
        self.cut_share = 0.0
        self.hang = False
        self.drop_share = 0.0
        self.giant = False
        self.garbage = False
        self.peak = 0
        self.requests = 0
        self._port = 0
        self._open = 0
        self._ledger: list[LedgerEntry] = []
        self._minutes: defaultdict[str, deque[float]] = defaultdict(deque)
        self._ending = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free loopback port."""
        app = web.Application(client_max_size=64 * 1024)
        app.router.add_post(PATH, self._serve)
        self._ending.clear()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every socket."""
        self._ending.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def settings(self) -> dict[str, Any]:
        """Return the route settings that lead here."""
        return {"base_url": f"http://127.0.0.1:{self._port}"}

    @property
    def ledger(self) -> Sequence[LedgerEntry]:
        """What the groups read, in order."""
        return self._ledger

    def stats(self) -> dict[str, int]:
        """Return what a test in another process waits for."""
        return {"ledger": len(self._ledger), "requests": self.requests, "peak": self.peak}

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self._open += 1
        self.peak = max(self.peak, self._open)
        try:
            return await self._answer(request, request.query.get("key", ""), await request.read())
        finally:
            self._open -= 1

    async def _answer(self, request: web.Request, key: str, body: bytes) -> web.StreamResponse:
        if self.latency:
            await asyncio.sleep(self.latency)
        if _share(f"cut {self.requests}") < self.cut_share:
            return self._cut(request)
        if self.status != 200:  # noqa: PLR2004
            return web.Response(status=self.status, text="<html>upstream error</html>")
        if self.redirect:
            return web.HTTPFound("http://203.0.113.9/elsewhere")
        code, text = self._judge(key, body)
        if code:
            return self._reply(code)
        ref = str(len(self._ledger) + 1)
        self._ledger.append(LedgerEntry(key, text, ref, time.monotonic()))
        return await self._after_taking(request, ref)

    async def _after_taking(self, request: web.Request, ref: str) -> web.StreamResponse:
        if self.hang:
            await self._ending.wait()
        if self.hang or _share(ref) < self.drop_share:
            return self._cut(request)
        if self.giant:
            return await self._flood(request)
        if self.garbage:
            return web.Response(body=b"\xff\xfe<html>ok</html>")
        return self._reply(0)

    def _judge(self, key: str, body: bytes) -> tuple[int, str]:
        """Return (errcode, text); 0 takes the message."""
        code = self.errcodes.get(key, 0) or (self.errcode if _share(key) < self.errcode_share else 0)
        if code or not key:
            return code or 93000, ""
        try:
            message = orjson.loads(body)
            style = message["msgtype"]
            text = message[style]["content"]
            limit = LIMITS[style]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return 40008, ""
        if not text:
            return 44004, ""
        if len(text.encode()) > limit:
            return 40058, ""
        return (45009, "") if self._too_fast(key) else (0, text)

    def _too_fast(self, key: str) -> bool:
        if not self.per_minute:
            return False
        minute, now = self._minutes[key], time.monotonic()
        while minute and minute[0] <= now - 60:
            minute.popleft()
        if len(minute) >= self.per_minute:
            return True
        minute.append(now)
        return False

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    @staticmethod
    def _reply(code: int) -> web.Response:
        """Answer as the vendor does: HTTP 200 whatever the code."""
        text = f"{MESSAGES.get(code, 'unknown error')}, {MORE}{code}" if code else "ok"
        return web.json_response({"errcode": code, "errmsg": text})

    async def _flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(16 * 1024):
                await response.write(b"x" * 64 * 1024)
        except ConnectionError:
            pass  # the client has read enough
        return response


def _share(text: str) -> float:
    """Return a number from 0 to 1 that is always the same for the same text."""
    return zlib.crc32(text.encode()) / 2**32


SIMULATOR = WecomSimulator
