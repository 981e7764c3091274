"""S12: who takes next to nothing of an answer is let go by the kernel; who takes it slowly is served."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from aiohttp import web as http

from gateway.commands.web import _serving
from gateway.web import app as web_app
from gateway.web import make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE = 60
LARGE = 32 * 1024 * 1024
"""Bytes; more than the kernel's buffers of both ends take, which is 4 and 6 MB as a rule."""
BEATS = 20


class Peer(NamedTuple):
    """The far end of a connection, and ours."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    served: http.RequestHandler

    async def let_go(self) -> None:
        """Wait until the server has ended the connection."""
        async with asyncio.timeout(DEADLINE):
            while self.served.transport is not None:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)

    async def drip(self) -> None:
        """Take a byte now and then from the kernel, until the server has ended the connection."""
        self.writer.transport.pause_reading()
        number = self.writer.get_extra_info("socket").fileno()
        async with asyncio.timeout(DEADLINE):
            while self.served.transport is not None:
                with suppress(BlockingIOError):
                    os.read(number, 1)
                await asyncio.sleep(0.02)
        self.writer.transport.resume_reading()

    async def rest(self) -> int:
        """Take what there is; return how many bytes came."""
        taken = 0
        try:
            async with asyncio.timeout(DEADLINE):
                while some := await self.reader.read(LARGE):
                    taken += len(some)
        except ConnectionResetError:
            pass
        return taken


@pytest.fixture
def peer(settings, database, redis, recording, clock, monkeypatch):
    """Serve as the command does, with a short limit, and ask for a path over one connection."""
    app = make_app(settings, database, redis, recording, clock)
    settings.web.port = 0
    served: list[http.RequestHandler] = []

    async def large(request: http.Request) -> http.Response:
        served.append(request.protocol)
        return http.Response(body=bytes(LARGE))

    async def live(request: http.Request) -> http.StreamResponse:
        served.append(request.protocol)
        answer = http.StreamResponse()
        await answer.prepare(request)
        for number in range(BEATS):
            await answer.write(b"beat\n")
            await asyncio.sleep(1.5 if number == BEATS // 2 else 0.05)
        return answer

    app.add_routes([http.get("/large", large), http.get("/live", live)])

    @asynccontextmanager
    async def ask(path: str, within: float, ca: trustme.CA | None = None) -> AsyncIterator[Peer]:
        monkeypatch.setattr(web_app, "TAKEN_WITHIN", within)
        async with _serving(settings, app, ca and server_context(ca)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ca and client_context(ca))
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            try:
                async with asyncio.timeout(DEADLINE):
                    while not served:  # noqa: ASYNC110 - nothing tells of it
                        await asyncio.sleep(0.02)
                yield Peer(reader, writer, served[0])
            finally:
                writer.transport.abort()

    return ask


def server_context(ca: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(made)
    return made


def client_context(ca: trustme.CA) -> ssl.SSLContext:
    made = ssl.create_default_context()
    ca.configure_trust(made)
    return made


class TestALargeAnswer:
    @pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
    async def test_of_which_nothing_is_taken_ends_the_connection(self, peer, tls, caplog):
        async with peer("/large", 0.5, trustme.CA() if tls else None) as silent:
            await silent.let_go()
            assert await silent.rest() < LARGE
        assert not [record for record in caplog.records if record.exc_info]

    async def test_that_is_taken_byte_by_byte_ends_it_too(self, peer):
        """A window that was full opens again only once a good part of it is free."""
        async with peer("/large", 0.5) as dripping:
            await dripping.drip()
            assert await dripping.rest() < LARGE

    async def test_that_is_taken_slowly_is_served_whole(self, peer):
        """Longer than the limit in all, never so long without a byte."""
        async with peer("/large", 4.0) as slow:
            head = await slow.reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            for _ in range(16):
                await asyncio.sleep(0.35)
                await asyncio.wait_for(slow.reader.readexactly(LARGE // 16), DEADLINE)
            assert await slow.rest() == 0


class TestALiveStream:
    async def test_goes_on_though_it_is_silent_for_longer_than_the_limit(self, peer):
        async with peer("/live", 0.5) as listener:
            told = await asyncio.wait_for(listener.reader.read(), DEADLINE)
        assert told.count(b"beat\n") == BEATS
