"""The other side of ``tongda bench feed``: an index with its documents, and a stream.

A process of its own: prints the ports as one JSON line and lives until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from datetime import UTC, datetime, timedelta

from aiohttp import web

from gateway.alerts.model import Alert
from gateway.alerts.write import write

SENDER = "bench@feed.example.org"
TOWNSHIP = "990101001000"
BEAT_SECONDS = 0.05
_VALID = timedelta(hours=6)


def alert(number: int, now: datetime) -> bytes:
    """Return one invented alert as CAP, with a polygon of 40 points in the synthetic county."""
    ring = [(30.45 + 0.02 * (n % 20) / 20, 106.45 + 0.001 * n) for n in range(40)]
    info = {
        "language": "zh-CN",
        "categories": ("Met",),
        "event": "暴雨",
        "urgency": "Expected",
        "severity": "Moderate",
        "certainty": "Likely",
        "expires": now + _VALID,
        "sender_name": "虚构气象台",
        "headline": f"虚构县暴雨黄色预警 {number}",
        "description": "预计未来6小时降雨量将达50毫米以上，请注意防范。" * 4,
        "instruction": "请远离山沟和低洼地带。",
        "areas": (
            {
                "area_desc": "青禾镇",
                "polygons": ((*ring, (30.6, 106.5), ring[0]),),
                "geocodes": ({"value_name": "GB/T 2260", "value": TOWNSHIP},),
            },
        ),
    }
    made = Alert.model_validate(
        {
            "identifier": f"bench-{number}",
            "sender": SENDER,
            "sent": now,
            "status": "Actual",
            "msg_type": "Alert",
            "scope": "Public",
            "infos": (info,),
        }
    )
    return write(made)


def thin(numbers: range) -> str:
    """Return an Atom index that links to these alerts."""
    entries = (
        f"<entry><id>urn:bench:{number}</id><title>{number}</title><updated>2026-01-01T00:00:00Z</updated>"
        f'<link rel="alternate" type="application/cap+xml" href="/cap/{number}.xml"/></entry>'
        for number in numbers
    )
    return _feed("".join(entries))


def fat(numbers: range, now: datetime) -> str:
    """Return an Atom feed that holds these alerts."""
    entries = (
        f"<entry><id>urn:bench:{number}</id><title>{number}</title><updated>2026-01-01T00:00:00Z</updated>"
        f'<content type="text/xml">{alert(number, now).decode().partition("?>")[2]}</content></entry>'
        for number in numbers
    )
    return _feed("".join(entries))


def _feed(entries: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>urn:bench</id><title>bench</title><updated>2026-01-01T00:00:00Z</updated>{entries}</feed>"
    )


def beat() -> bytes:
    """Return a heartbeat whose one reference tells when it was sent, by the machine's monotonic clock."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sent = f"{time.monotonic():.6f}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'
        f"<identifier>beat-{sent}</identifier><sender>NAADS-Heartbeat</sender><sent>{now}</sent>"
        "<status>System</status><msgType>Alert</msgType><scope>Public</scope>"
        f"<references>{SENDER},{sent},{now}</references></alert>"
    ).encode()


async def _beats(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while True:
            writer.write(beat())
            await writer.drain()
            await asyncio.sleep(BEAT_SECONDS)


def make_app(count: int) -> web.Application:
    """Return the web server: ``/atom.xml`` links to ``count`` alerts, ``/fat.xml`` holds as many others."""
    now = datetime.now(UTC).replace(microsecond=0)
    index, whole = thin(range(count)).encode(), fat(range(count, 2 * count), now).encode()

    async def cap(request: web.Request) -> web.Response:
        return web.Response(
            body=alert(int(request.match_info["number"]), now), content_type="application/cap+xml"
        )

    async def atom(request: web.Request) -> web.Response:
        return web.Response(
            body=index if request.path == "/atom.xml" else whole, content_type="application/atom+xml"
        )

    app = web.Application()
    app.add_routes(
        [web.get("/atom.xml", atom), web.get("/fat.xml", atom), web.get(r"/cap/{number:\d+}.xml", cap)]
    )
    return app


async def _serve(count: int) -> None:
    runner = web.AppRunner(make_app(count), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stream = await asyncio.start_server(_beats, "127.0.0.1", 0)
    print(  # noqa: T201 - what the other process waits for
        json.dumps({"http": site.port, "tcp": stream.sockets[0].getsockname()[1]}), flush=True
    )
    await asyncio.to_thread(sys.stdin.read)
    stream.close()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
