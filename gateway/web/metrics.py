"""``/metrics``: the sources and the open alarms, for Prometheus.

Answered, as ``/sources.json`` is, to a peer on this machine whose request came through no proxy, or to
everybody where ``web.metrics`` is set; others are told that there is nothing here. A proxy in front must
pass neither address on: one that does not say that it is a proxy looks like a peer on this machine.
"""

from __future__ import annotations

from functools import wraps
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from gateway.feeds.health import overview
from gateway.feeds.shown import seconds
from gateway.store import alarms
from gateway.store.faults import DATABASE_FAULTS
from gateway.web.guard import refuse
from gateway.web.state import STATE

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from gateway.feeds.health import Overview
    from gateway.settings import Settings

_THROUGH_A_PROXY = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


def routes(settings: Settings) -> list[web.RouteDef]:
    """Return the route."""

    async def metrics(request: web.Request) -> web.Response:
        state = request.app[STATE]
        seen = await overview(state.database, settings, state.clock)
        async with state.database.begin() as connection:
            open_alarms = await alarms.counts(connection)
        text = generate_latest(_registry(seen, open_alarms))
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [web.get("/metrics", inside(settings, metrics))]


def inside(settings: Settings, handler: Handler) -> Handler:
    """Return the handler for requests from this machine only, unless the settings open it."""

    @wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not (settings.web.metrics or _is_inside(request)):
            return refuse(404)
        try:
            return await handler(request)
        except DATABASE_FAULTS:
            return refuse(503, "the database cannot be reached")

    return guarded


def _is_inside(request: web.Request) -> bool:
    if any(name in request.headers for name in _THROUGH_A_PROXY):
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def _registry(seen: Overview, open_alarms: dict[str, int]) -> CollectorRegistry:
    registry = CollectorRegistry()

    def of_source(kind: type[Gauge | Counter], name: str, meaning: str) -> Any:  # noqa: ANN401 - either
        return kind(f"tongda_source_{name}", meaning, ["source"], registry=registry)

    good = of_source(Gauge, "good_age_seconds", "Since the last answer that could be read; +Inf: never.")
    heartbeat = of_source(Gauge, "heartbeat_age_seconds", "Since the last sign of life; +Inf: never.")
    failures = of_source(Gauge, "failures", "Failed polls or connections, one after the other.")
    items = of_source(Counter, "items", "Alerts and solutions read, repeats included.")
    for one in (source for source in seen.sources if source.state is not None):
        assert one.state is not None
        good.labels(one.name).set(_age(seconds(one.state.good_at, seen.at)))
        heartbeat.labels(one.name).set(_age(seconds(one.state.heartbeat_at, seen.at)))
        failures.labels(one.name).set(one.state.failures)
        items.labels(one.name).inc(one.state.items)
    alarm = Gauge("tongda_alarms", "Open alarms.", ["code"], registry=registry)
    for code, count in open_alarms.items():
        alarm.labels(code).set(count)
    return registry


def _age(ago: float | None) -> float:
    return float("inf") if ago is None else ago
