"""How many people a release reached: figures, curve and townships as a part of its page, and as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway.coverage import ReleaseUnknown, render_csv, render_html
from gateway.web.console.measured import measured
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from gateway.coverage import Coverage
    from gateway.web.console.visit import Visit

routes = Routes()

MINUTE = 60.0
_TYPES = {"html": "text/html", "csv": "text/csv"}


async def coverage_of(visit: Visit) -> Coverage:
    """Return the latest measurement of the release in the address, or answer that there is none."""
    try:
        return await measured(visit.console.database, visit.console.clock).of(visit.number())
    except ReleaseUnknown:
        raise web.HTTPNotFound from None


@routes.get(r"/releases/{id:\d{1,18}}/coverage", "see")
async def figures(visit: Visit) -> web.StreamResponse:
    """Show coverage in people."""
    found = await coverage_of(visit)
    context = {
        "coverage": found,
        "mode": found.release.mode,
        "zone": visit.console.zone,
        "curve": curve_of(visit, found),
        "shares": {row.code: row.rate for row in found.townships if row.rate is not None},
    }
    return visit.render("release/coverage.html" if visit.partial else "release/coverage_page.html", **context)


@routes.get(r"/releases/{id:\d{1,18}}/report.{kind:html|csv}", "see")
async def report(visit: Visit) -> web.StreamResponse:
    """Give the report as a file."""
    found, kind = await coverage_of(visit), visit.request.match_info["kind"]
    render = render_html if kind == "html" else render_csv
    return as_file(
        render(found, visit.language[:2], visit.console.zone),
        f"coverage-{found.release.reference}.{kind}",
        _TYPES[kind],
    )


def as_file(text: str, name: str, kind: str) -> web.Response:
    """Return a text as a file that the browser keeps and does not show."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)


def curve_of(visit: Visit, found: Coverage) -> dict[str, Any]:
    """Return the shares of people reached and confirmed over time, as the chart takes them."""
    whole, longest = found.people.intended or 1, max((one.seconds for one in found.curve), default=0.0)
    unit, name = (MINUTE, visit.say("minutes")) if longest > 2 * MINUTE else (1.0, visit.say("seconds"))
    lines = {"delivered": (visit.say("Delivered"), "go"), "confirmed": (visit.say("Confirmed"), "ok")}
    marks = [] if found.t90_s is None else [{"x": round(found.t90_s / unit, 2), "name": "T90"}]
    return {
        "kind": "line",
        "x": name,
        "share": True,
        "marks": marks,
        "series": [
            {
                "name": words,
                "token": token,
                "points": [[round(one.seconds / unit, 2), getattr(one, line) / whole] for one in found.curve],
            }
            for line, (words, token) in lines.items()
        ],
    }
