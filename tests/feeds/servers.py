"""Servers on loopback: honest ones with a ledger of what they were asked, and hostile ones; and documents."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

HOME = "127.0.0.1"
FORBIDDEN = "127.0.0.2"
"""Another address of this machine that stands for one inside our network."""
WITHIN = 30.0
"""Seconds that only a hang can take."""
SENT = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)


class Asked(NamedTuple):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    peer: int
    """The port that it came from."""


class Feeds:
    """An honest server: what it answers at each path, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.pages: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {}
        self.port = 0
        self.scheme = "http"

    def url(self, path: str = "/", host: str = HOME) -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def page(self, path: str, body: str | bytes = b"", status: int = 200, **headers: str) -> None:
        """Answer a path; an ETag among the headers is heeded as servers do."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body.encode() if isinstance(body, str) else body

        async def answer(request: web.Request) -> web.Response:
            if given.get("ETag") and request.headers.get("If-None-Match") == given["ETag"]:
                return web.Response(status=304, headers=given)
            return web.Response(body=data, status=status, headers=given)

        self.pages[path] = answer

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername")[1] if request.transport else 0
        self.asked.append(Asked(request.path_qs, dict(request.headers), peer))
        page = self.pages.get(request.path_qs) or self.pages.get(request.path)
        return await page(request) if page else web.Response(status=404)


@asynccontextmanager
async def serve(
    feeds: Feeds, host: str = HOME, context: ssl.SSLContext | None = None
) -> AsyncIterator[Feeds]:
    """Serve on a free port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", feeds.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=context).start()
    feeds.port = runner.addresses[0][1]
    feeds.scheme = "https" if context else "http"
    try:
        yield feeds
    finally:
        await runner.cleanup()


class Wild(NamedTuple):
    """A server that speaks bytes."""

    port: int
    connections: list[tuple[str, int]]
    """Peers, in the order of their coming."""


@asynccontextmanager
async def wild(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], host: str = HOME
) -> AsyncIterator[Wild]:
    """Serve whatever ``talk`` says to each connection."""
    connections: list[tuple[str, int]] = []
    talks: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer.get_extra_info("peername")[:2])
        task = asyncio.current_task()
        assert task
        talks.add(task)
        with suppress(ConnectionError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()
        talks.discard(task)

    server = await asyncio.start_server(serve_one, host, 0)
    try:
        yield Wild(server.sockets[0].getsockname()[1], connections)
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def says(*pieces: bytes, pause: float = 0.0, for_ever: bool = False, hang: bool = False):
    """A talk that answers a request with bytes: once, slowly, for ever, or and then nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for piece in pieces[:-1] if for_ever else pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        while for_ever:
            writer.write(pieces[-1])
            await writer.drain()
            await asyncio.sleep(pause)
        if hang:
            await asyncio.sleep(WITHIN)

    return talk


def head(status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class Streams(Feeds):
    """A server whose ``/ws`` pushes what is put into :attr:`pushes`, to everybody who listens."""

    def __init__(self) -> None:
        super().__init__()
        self.listeners: set[web.WebSocketResponse] = set()
        self.connected = 0
        self.pongs = True
        self.heard: list[str] = []
        self.pages["/ws"] = self._listen

    async def push(self, text: str | bytes) -> None:
        for one in list(self.listeners):
            with suppress(ConnectionError):
                await (one.send_bytes(text) if isinstance(text, bytes) else one.send_str(text))

    async def drop(self) -> None:
        for one in list(self.listeners):
            await one.close()

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=self.pongs)
        await socket.prepare(request)
        self.listeners.add(socket)
        self.connected += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.heard.append(message.data)
        finally:
            self.listeners.discard(socket)
        return socket


async def until(condition: Callable[[], object], within: float = 3 * WITHIN) -> None:
    """Wait until something holds; what it returns may be awaited."""
    async with asyncio.timeout(within):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)


def cap(identifier: str, *, sender: str = "invented@weather.example.org", text: str = "暴雨") -> str:
    """A CAP message of an invented office."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>{identifier}</identifier><sender>{sender}</sender><sent>2026-07-01T10:00:00+08:00</sent>
<status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
<info><language>zh-CN</language><category>Met</category><event>{text}</event><urgency>Expected</urgency>
<severity>Severe</severity><certainty>Likely</certainty><expires>2026-07-01T16:00:00+08:00</expires>
<senderName>虚构气象台</senderName><headline>北山镇暴雨橙色预警</headline><description>预计有暴雨</description>
<instruction>请远离山沟</instruction>
<area><areaDesc>北山镇</areaDesc>
<geocode><valueName>GB/T 2260</valueName><value>999901101000</value></geocode>
</area></info></alert>"""


def atom(*links: str, updated: str = "2026-07-01T02:00:00Z", stamps: dict[str, str] | None = None) -> str:
    """An Atom index that leads to CAP documents."""
    entries = "".join(
        f"<entry><id>urn:invented:{number}</id><title>虚构 {number}</title>"
        f"<updated>{(stamps or {}).get(link, updated)}</updated>"
        f'<link rel="alternate" type="application/cap+xml" href="{link}"/></entry>'
        for number, link in enumerate(links)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>urn:invented:feed</id><title>虚构</title><updated>{updated}</updated>{entries}</feed>"
    )
