"""Every route of the console against every role: nobody gets further than the policy says.

The table is made from the routes themselves, so that a page that is added is in it.
"""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientSession, ClientTimeout

from gateway.accounts.sessions import Origin, open_session
from gateway.desk.policy import load_policy
from gateway.share import share
from gateway.store.desk import Person
from gateway.web.console import app
from gateway.web.console.routing import RIGHTS

POLICY = load_policy(share("config/approval.toml"))
ROLES = sorted(POLICY.known_roles)
TRIED = (
    "999999",
    "live",
    "drill",
    "0" * 12,
    "sms",
    "a" * 64,
    "sms.live",
    "txt",
    "nothing",
    "x/y.js",
    "2026-07-01",
)
"""Names of what there is not, one of which fits each part of an address."""
LENGTHS = [one * length for length in range(1, 65) for one in "0a"]
_PART = re.compile(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})+))?\}")
_REFUSED, _FAULT = 403, 500


def filled(path: str) -> str:
    """An address of this route; of nothing that there is."""

    def name(found: re.Match) -> str:
        pattern = re.compile(found[2] or "[^{}/]+")
        fits = next(
            (one for one in (*TRIED, *LENGTHS, *(found[2] or "").split("|")) if pattern.fullmatch(one)), None
        )
        assert fits is not None, f"no invented name fits {found[0]} of {path}: add one to TRIED"
        return fits

    return _PART.sub(name, path)


def allowed(route, role: str) -> bool:
    return "signed_in" in route.rights or any(POLICY.allows(right, [role]) for right in route.rights)


@pytest.fixture
async def knock(server, console, desk):
    """Asks for a route in a session of its own with one role, or as a stranger; returns status and place."""
    for role in ROLES:
        await desk.set_person(Person(f"only-{role}", f"虚构 {role}", (role,), active=True))
    origin = str(server.make_url("")).rstrip("/")
    async with ClientSession(timeout=ClientTimeout(20)) as session:

        async def ask(route, role: str | None) -> tuple[int, str]:
            headers = {"Origin": origin}
            if role is not None:
                async with console.database.begin() as connection:
                    token = await open_session(
                        connection, f"only-{role}", console.clock.now(), Origin("127.0.0.1", "invented")
                    )
                headers["Cookie"] = f"tongda={token}"
            url = f"{origin}/desk{filled(route.path)}"
            async with session.request(
                route.method,
                url,
                headers=headers,
                data={} if route.method == "POST" else None,
                allow_redirects=False,
            ) as answer:
                return answer.status, answer.headers.get("Location", "")

        yield ask


async def faults(knock, route):
    """What is wrong with how a route answers strangers and each role."""
    status, place = await knock(route, None)
    if status != 303 or not place.startswith("/desk/sign-in"):
        yield f"a stranger gets {status}"
    for role in ROLES:
        status, place = await knock(route, role)
        if place.startswith("/desk/sign-in") and route.path != "/me/sessions/end":
            yield f"{role} is asked to sign in"
        if allowed(route, role) and (status == _REFUSED or status >= _FAULT):
            yield f"{role} has the right and gets {status}"
        if not allowed(route, role) and status != _REFUSED:
            yield f"{role} has no right and gets {status}"


class TestMatrix:
    """S2: every route of the console against every role."""

    @pytest.mark.parametrize("page", app.PAGES, ids=lambda page: page.__name__.rpartition(".")[2])
    async def test_who_has_the_right_comes_in_and_nobody_else(self, knock, page):
        wrong = []
        for route in page.routes:
            if "anyone" not in route.rights:
                wrong += [f"{route.method} {route.path}: {why}" async for why in faults(knock, route)]
        assert wrong == []

    def test_each_route_names_a_right_that_there_is(self):
        assert all(route.rights and route.rights <= RIGHTS for route in app.all_routes())

    def test_only_the_door_is_open_to_strangers(self):
        doors = {route.path.partition("/{")[0] for route in app.all_routes() if "anyone" in route.rights}
        assert doors <= {
            "/assets",
            "/language",
            "/sign-in",
            "/sign-in/elsewhere",
            "/sign-in/back",
            "/sign-out",
            "/welcome",
            "/welcome/password",
            "/welcome/factor",
        }

    def test_no_two_pages_have_the_same_address(self):
        seen = [(route.method, filled(route.path)) for route in app.all_routes()]
        assert sorted(set(seen)) == sorted(seen)
