"""The two kinds of stream, websocket and TCP, as one: what came in, and whether that was a sign of life."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import aiohttp

from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import LARGEST
from gateway.feeds.fetch.client import CONNECT_WITHIN, Websocket, certificate_end, refusal
from gateway.feeds.fetch.refused import FetchRefused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator
    from datetime import datetime

    from yarl import URL

    from gateway.feeds.contract import Adapter, Frames
    from gateway.feeds.fetch.client import Client

PING_SECONDS = 15.0
"""Between two pings of ours, as the source with the shortest patience asks (EMSC)."""
_CHUNK = 65536
_T = TypeVar("_T")


@contextmanager
def _in_words() -> Iterator[None]:
    """Make FetchRefused of what the network raises."""
    try:
        yield
    except FeedRefused as refused:
        raise FetchRefused("too_large", f"the stream makes no sense: {refused.message}") from None
    except (aiohttp.ClientError, OSError) as error:
        raise refusal(error) from None


class Heard(NamedTuple):
    """What a stream brought."""

    documents: list[bytes]
    alive: bool
    """Whether it was a sign of life: a document, or the answer to a ping."""


class Wire(Protocol):
    """An open stream."""

    certificate_until: datetime | None
    """When the certificate of the host expires."""

    async def hear(self) -> Heard:
        """Return what comes next; raises FetchRefused where the stream has ended or makes no sense."""


class _Socket:
    """A websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.certificate_until = certificate_end(socket.get_extra_info("ssl_object"))

    async def hear(self) -> Heard:
        await asyncio.sleep(0)  # a flood is there already, and would never let others have their turn
        with _in_words():
            return await self._next()

    async def _next(self) -> Heard:
        message = await self._socket.receive()
        kind = message.type
        if kind is aiohttp.WSMsgType.TEXT:
            return Heard([message.data.encode("utf-8", "replace")], alive=True)
        if kind is aiohttp.WSMsgType.BINARY:
            return Heard([message.data], alive=True)
        if kind is aiohttp.WSMsgType.PING:
            await self._socket.pong(message.data)
        if kind in {aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG}:
            return Heard([], alive=True)
        raise FetchRefused("connection", "the source closed the stream")


class _Line:
    """A TCP connection, whose bytes the adapter cuts into documents."""

    certificate_until: datetime | None = None

    def __init__(self, reader: asyncio.StreamReader, frames: Frames) -> None:
        self._reader = reader
        self._frames = frames

    async def hear(self) -> Heard:
        with _in_words():
            data = await self._reader.read(_CHUNK)
            documents = self._frames.feed(data)
        if not data:
            raise FetchRefused("connection", "the source closed the stream")
        return Heard(documents, alive=bool(documents))


@asynccontextmanager
async def open_wire(client: Client, url: str, adapter: Adapter) -> AsyncIterator[Wire]:
    """Open a stream.

    Raises:
        FetchRefused: it cannot be opened.
    """
    target = client.guard.url(url)
    opened = _open_tcp if target.scheme == "tcp" else _open_websocket
    async with opened(client, target, adapter) as wire:
        yield wire


@asynccontextmanager
async def _open_websocket(client: Client, target: URL, adapter: Adapter) -> AsyncIterator[Wire]:
    connecting = client.session.ws_connect(
        target,
        headers=client.headers_for(target),
        autoping=False,
        max_msg_size=LARGEST,
    )
    socket = await _within(connecting)
    assert isinstance(socket, Websocket)
    pinging = asyncio.create_task(_ping(socket, adapter.ping))
    try:
        yield _Socket(socket)
    finally:
        pinging.cancel()
        await asyncio.gather(pinging, return_exceptions=True)
        socket.abort()


async def _ping(socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
    with suppress(aiohttp.ClientError, OSError):
        while True:
            await asyncio.sleep(PING_SECONDS)
            await (socket.send_str(text) if text else socket.ping())


@asynccontextmanager
async def _open_tcp(client: Client, target: URL, adapter: Adapter) -> AsyncIterator[Wire]:
    if target.port is None or adapter.frames is None:
        raise FetchRefused("url", "a tcp: address needs a port and a kind that reads streams")
    reader, writer = await _within(_connect(client, target.host or "", target.port))
    try:
        yield _Line(reader, adapter.frames())
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _connect(client: Client, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to one of the addresses that were checked, the first that answers."""
    failure: OSError = OSError()
    for address in await client.guard.addresses(host, port):
        try:
            return await asyncio.open_connection(address, port, limit=_CHUNK)
        except OSError as error:
            failure = error
    raise failure


async def _within(opening: Awaitable[_T]) -> _T:
    with _in_words():
        async with asyncio.timeout(CONNECT_WITHIN):
            return await opening
