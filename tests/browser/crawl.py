"""Find every page of the console by its links, as a person does: one address for each route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.test_utils import make_mocked_request

from gateway.web.console.app import all_routes
from gateway.web.console.visit import BASE

if TYPE_CHECKING:
    from playwright.async_api import APIResponse

    from tests.browser.conftest import Seat

_LINKS = f"[...document.querySelectorAll('a[href^=\"{BASE}/\"]')].map(link => link.getAttribute('href'))"

WHO = {
    None: ("/sign-in", "/welcome"),
    "demo-author": ("/",),
    "demo-approver-1": ("/alerts/{id}",),
    "demo-approver-2": ("/drills", "/channels"),
    "demo-registrar": ("/people",),
    "demo-administrator": ("/admin",),
    "demo-leader": ("/lead",),
}
"""Login -> whereabouts that person looks round: the routes that begin so."""

_STARTS = {
    None: ["/sign-in", "/welcome"],
    "demo-approver-1": ["/alerts/{waits}"],
    "demo-registrar": ["/people", "/people/places/990101000000/gaps"],
}
"""Login -> where that person begins, if not at the first of the whereabouts."""

NO_PAGES = frozenset(
    {
        *("/live", "/regions.geojson", "/sign-in/elsewhere", "/sign-in/back", "/me/factor"),
        *(
            "/assets/{hash}/{name}",
            "/attachments/{id}",
            "/inbox/{id}/original",
            "/people/imports/{id}/report.csv",
        ),
        *(
            "/admin/audit/export.{form}",
            "/admin/shown/{name}",
            "/alerts/{id}/release",
            "/alerts/{id}/standing",
        ),
        *("/board/waiting", "/channels/test/{id}", "/releases/{id}/cap.xml", "/releases/{id}/coverage"),
        *("/releases/{id}/live", "/releases/{id}/report.{kind}", "/releases/{id}/timeline"),
        *("/releases/{id}/timeline.csv", "/releases/{id}/unreached.csv"),
    }
)
"""Routes that answer files, events, parts of pages, or lead on."""


class Atlas:
    """Tells which route an address belongs to."""

    def __init__(self) -> None:
        self._router = web.UrlDispatcher()
        for route in all_routes():
            if route.method == hdrs.METH_GET:
                self._router.add_get(route.path, route.handler)

    @property
    def pages(self) -> set[str]:
        """Every route that answers a page of its own."""
        return {one.canonical for one in self._router.resources()} - NO_PAGES

    async def route_of(self, path: str) -> str | None:
        """The route of a path below the console's."""
        found = await self._router.resolve(make_mocked_request(hdrs.METH_GET, path))
        return found.route.resource.canonical if found.route.resource else None


async def pages_of(seat: Seat) -> dict[str, str]:
    """Route -> the first path of it that is a page for this person; found once for each person."""
    known, login = seat.demo.pages, seat.login
    if login not in known:
        known[login] = await _crawl(seat, [*_STARTS.get(login, WHO[login])])
    return known[login]


async def _crawl(seat: Seat, queue: list[str]) -> dict[str, str]:
    atlas, found, tried = Atlas(), {}, set()
    wanted = {route for route in atlas.pages if route.startswith(WHO[seat.login])}
    while queue:
        path = queue.pop(0).format(waits=seat.demo.waits)
        route = await atlas.route_of(path)
        if path in tried or route not in wanted - found.keys():
            continue
        tried.add(path)
        if not await _is_page(await seat.page.request.get(seat.demo.url.rstrip("/") + path)):
            continue
        found[route] = path
        await seat.go(path)
        await seat.page.wait_for_timeout(300)  # for the parts that a page fetches
        queue += [link.removeprefix(BASE) for link in await seat.page.evaluate(_LINKS)]
    return found


async def _is_page(answer: APIResponse) -> bool:
    return answer.ok and "content-disposition" not in answer.headers and "<html" in await answer.text()
