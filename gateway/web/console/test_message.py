"""A test message to oneself: the own addresses, one click, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from channels.base import Proof, mask, plain_text
from gateway.desk import self_test
from gateway.desk.steps import step
from gateway.store import self_tests, switches
from gateway.web.console.channel_words import PROOFS
from gateway.web.console.channels import helpers
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from gateway.desk.steps import Step
    from gateway.store.self_tests import OwnTest
    from gateway.web.console.visit import Visit

routes = Routes()

SETTLED = frozenset({Proof.SUPPRESSED, Proof.EXPIRED, Proof.REJECTED, Proof.CONFIRMED})
"""After these nothing more is to be waited for."""


@routes.get("/channels/test", "operate")
async def form(visit: Visit) -> web.StreamResponse:
    """Show the own addresses and the latest tests."""
    office = visit.console.office
    async with visit.console.database.begin() as connection:
        own = await self_tests.own(connection, visit.login)
        off = await switches.off_routes(connection)
        latest = await self_tests.latest(connection, visit.login)
    tests = [one for number in latest if (one := await _outcome(visit, number))]
    return visit.render(
        "channels/test.html",
        channels=[(name, office.routes[name].kind) for name in sorted(office.routes)],
        offered=office.channels("drill"),
        addresses={channel: mask(address) for channel, address in own.items()},
        off={name.removesuffix(".drill") for name in off if name.endswith(".drill")},
        tests=tests,
        most=self_test.MOST,
        minutes=int(self_test.WITHIN.total_seconds() // 60),
        **_helpers(visit),
    )


@routes.post("/channels/test/address", "operate")
async def keep_address(visit: Visit) -> web.StreamResponse:
    """Keep the own address on a channel, or forget it."""
    async with _step(visit) as one:
        channel, address = plain_text(await visit.text("channel")), await visit.text("address")
        await self_test.keep_address(one, visit.console.office, channel, address[:500])
    return visit.go("/channels/test")


@routes.post("/channels/test", "operate")
async def send(visit: Visit) -> web.StreamResponse:
    """Send one test message to oneself."""
    async with _step(visit) as one:
        await self_test.send(one, visit.console.office, await visit.text("channel"))
    return visit.go("/channels/test")


@routes.get(r"/channels/test/{id:\d{1,18}}", "operate")
async def outcome(visit: Visit) -> web.StreamResponse:
    """Show what has become of one's own test message, as a part of the page."""
    found = await _outcome(visit, visit.number())
    if found is None:
        raise web.HTTPNotFound
    return visit.render("channels/outcome.html", test=found, **_helpers(visit))


async def _outcome(visit: Visit, number: int) -> dict[str, Any] | None:
    """Return one's own test message with its tries and receipts; None for anybody else's."""
    async with visit.console.database.begin() as connection:
        test = await self_tests.of_alert(connection, number)
        if test is None or test.login != visit.login:
            return None
        attempts, told = await self_tests.evidence(connection, test.delivery_id)
    return {
        "of": test,
        "address": mask(test.address),
        "text": test.texts[test.channel][test.text_key]["text"].replace(
            "\N{OBJECT REPLACEMENT CHARACTER}", "…"
        ),
        "attempts": attempts,
        "told": told,
        "waits": _waits(visit, test),
    }


def _waits(visit: Visit, test: OwnTest) -> bool:
    """Whether something may still come, so that the page asks again."""
    return test.state not in SETTLED and visit.now < test.expires


def _step(visit: Visit) -> AbstractAsyncContextManager[Step]:
    console = visit.console
    return step(console.database, visit.login, visit.now, console.office.policy)


def _helpers(visit: Visit) -> dict[str, Any]:
    return helpers(visit) | {"proof": lambda state: visit.say(PROOFS[state])}
