"""What every answer has, what slow and strange peers meet, and whether the server says how it is."""

from __future__ import annotations

import asyncio
import json

import pytest
import structlog
from aiohttp import web as http
from sqlalchemy import text

from gateway.receipts.confirm import make_token
from gateway.web import callbacks as callback_routes
from gateway.web import make_app, make_runner
from tests.web.conftest import CONFIRM

DEADLINE = 20


@pytest.fixture
async def port(settings, database, redis, recording, clock):
    runner = make_runner(make_app(settings, database, redis, recording, clock), headers_within=0.3)
    await runner.setup()
    await http.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


class TestHeaders:
    @pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/c/x", "/receipts/sms"])
    async def test_every_answer_has_them(self, serve, recording, path):
        headers = (await (await serve(recording)).get(path)).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Server"] == "tongda"
        assert "Strict-Transport-Security" not in headers

    async def test_behind_tls_browsers_are_told_to_stay_there(self, serve, recording, settings):
        settings.web.public_url = "https://warning.example.org"
        headers = (await (await serve(recording)).get("/healthz")).headers
        assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


class TestErrors:
    """S12: oversized headers and what is no HTTP."""

    async def test_an_error_of_ours_shows_nothing_of_our_inside(self, serve, release, database):
        def broken(channel, source):
            raise RuntimeError("the inside: /etc/tongda and a secret")

        client = await serve(broken)
        built = await release()
        response = await client.post("/c/" + make_token(built.deliveries[0]["sms"], CONFIRM.encode()))
        assert response.status == 500
        assert await response.json() == {"error": "something went wrong here; it has been logged"}

    @pytest.mark.parametrize(
        "opening",
        [
            b"GET / HTTP/9.9\r\nx\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"GET / HTTP/1.1\r\nA: " + b"a" * 100_000,
            b"POST /receipts/sms HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            b"GET /\x00 HTTP/1.1\r\n\r\n",
        ],
    )
    async def test_what_is_not_http_is_a_400_and_no_line_in_the_log(self, port, opening, caplog):
        answer = await talk(port, opening)
        assert b" 400 Bad Request" in answer
        assert b"Traceback" not in answer
        assert not [record for record in caplog.records if record.exc_info]


class TestLog:
    async def test_a_line_names_the_route_and_never_the_token(self, client, release):
        built = await release()
        token = make_token(built.deliveries[0]["sms"], CONFIRM.encode())
        with structlog.testing.capture_logs() as lines:
            await client.get(f"/c/{token}")
            await client.get("/nowhere/+8619900000001")
        told = [line for line in lines if line["event"] == "request"]
        assert [(line["method"], line["status"]) for line in told] == [("GET", 200), ("GET", 404)]
        assert told[0]["route"].startswith("/c/{token")
        assert token not in json.dumps(lines)
        assert "19900000001" not in json.dumps(lines)


class TestHealth:
    async def test_alive(self, serve, recording):
        response = await (await serve(recording)).get("/healthz")
        assert (response.status, await response.json()) == (200, {"alive": True})

    async def test_ready_when_everything_is_there(self, serve, recording):
        response = await (await serve(recording)).get("/readyz")
        assert response.status == 200
        assert await response.json() == {
            "ready": True,
            "checks": {"database": "ok", "migrations": "ok", "redis": "ok"},
        }

    @pytest.mark.parametrize(
        ("statement", "words"),
        [
            (
                "UPDATE alembic_version SET version_num = '0000'",
                "the database is at 0000, this version needs",
            ),
            ("DROP TABLE alembic_version", "the database is at nothing, this version needs"),
        ],
    )
    async def test_an_old_schema_is_named(self, serve, recording, database, statement, words):
        async with database.begin() as connection:
            await connection.execute(text(statement))
        response = await (await serve(recording)).get("/readyz")
        assert response.status == 503
        assert (await response.json())["checks"]["migrations"].startswith(words)

    async def test_services_that_are_away_are_named(self, settings, clock, recording, aiohttp_client):
        from redis.asyncio import Redis

        from gateway.store.database import Database

        async with (
            Database("postgresql://tongda@/gone?host=/nonexistent", size=1) as database,
            Redis.from_url("unix:///nonexistent/redis.sock") as redis,
        ):
            client = await aiohttp_client(make_app(settings, database, redis, recording, clock))
            response = await client.get("/readyz")
            assert response.status == 503
            assert (await response.json())["checks"] == {
                "database": "cannot be reached",
                "migrations": "not known",
                "redis": "cannot be reached",
            }
            assert (await client.get("/healthz")).status == 200


class TestSlowPeers:
    """S12: a connection that sends too slowly is closed."""

    @pytest.mark.parametrize("opening", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n"])
    async def test_headers_that_do_not_come_end_the_connection(self, port, opening):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(opening)
        async with asyncio.timeout(DEADLINE):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    async def test_dripping_bytes_move_no_deadline(self, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"A: b\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        try:
            async with asyncio.timeout(DEADLINE):
                assert await reader.read() == b""
        except ConnectionResetError:
            pass
        finally:
            dripping.cancel()
            writer.close()

    async def test_a_body_that_does_not_come_is_a_408(self, port, monkeypatch):
        monkeypatch.setattr(callback_routes, "BODY_WITHIN", 0.2)
        answer = await talk(port, b"POST /receipts/sms HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert answer.startswith(b"HTTP/1.1 408 ")

    async def test_others_are_served_while_many_drip(self, port):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        for _, writer in held:
            writer.write(b"GET /healthz HTTP/1.1\r\nA")
        answer = await talk(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'{"alive": true}' in answer
        for _, writer in held:
            writer.close()


async def talk(port: int, opening: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(opening)
    try:
        async with asyncio.timeout(DEADLINE):
            return await reader.read()
    finally:
        writer.close()
