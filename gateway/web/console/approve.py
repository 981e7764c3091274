"""The steps on the page of an alert: sign, send, send back; what is signed is what was shown.

Each form carries the digest that the page showed. Whatever the policy asks for before a signature (a
code of the second factor, place and number typed) is looked at before anything is done, the code last,
since it is used up.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from gateway.desk import signing
from gateway.desk.refused import DeskRefused
from gateway.web.console import alert, alert_view, refusals
from gateway.web.console.proof import proved
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()

_AT_THE_FORM = frozenset({"proof", "code", "wait", "no_factor", "typed_place", "typed_count", "reason"})
"""Refusals that are shown at the form, so that it can be sent again."""
_SEPARATORS = str.maketrans(dict.fromkeys("、,，;；和 \t", ""))


@routes.post(r"/alerts/{id:\d{1,18}}/approve", "approve")
async def approve(visit: Visit) -> web.StreamResponse:
    """Sign what was shown, and send it where that was the button."""
    return await _at_the_form(visit, _approve)


async def _approve(visit: Visit) -> web.StreamResponse:
    desk, digest = visit.console.desk, await visit.text("digest")
    await confirm(visit, digest)
    signed = await desk.approve(visit.number(), digest, visit.login)
    if signed.released is not None:
        return visit.go(f"/releases/{signed.released.id}")
    if await visit.text("then") == "send" and signed.alert.state == "approved":
        done = await desk.release(visit.number(), visit.login, digest)
        return visit.go(f"/releases/{done.id}")
    return visit.go(f"/alerts/{visit.number()}")


@routes.post(r"/alerts/{id:\d{1,18}}/release", "release")
async def release(visit: Visit) -> web.StreamResponse:
    """Send what was approved; sent twice it leads to the one release."""
    return await _at_the_form(visit, _release)


async def _release(visit: Visit) -> web.StreamResponse:
    desk, digest = visit.console.desk, await visit.text("digest")
    if (await desk.show(visit.number())).release is None:
        await confirm(visit, digest)
    done = await desk.release(visit.number(), visit.login, digest)
    return visit.go(f"/releases/{done.id}")


@routes.post(r"/alerts/{id:\d{1,18}}/emergency", "release")
async def send_alone(visit: Visit) -> web.StreamResponse:
    """Sign and send by the emergency path."""
    return await _at_the_form(visit, _send_alone)


async def _send_alone(visit: Visit) -> web.StreamResponse:
    digest, reason = await visit.text("digest"), await visit.text("reason")
    if not reason:
        raise DeskRefused("reason", "say why it cannot wait for the other signatures", why="emergency")
    await confirm(visit, digest)
    done = await visit.console.desk.release_alone(visit.number(), digest, visit.login, reason)
    return visit.go(f"/releases/{done.id}")


@routes.post(r"/alerts/{id:\d{1,18}}/cosign", "approve")
async def cosign(visit: Visit) -> web.StreamResponse:
    """Sign what one person sent by the emergency path."""
    return await _at_the_form(visit, _cosign)


async def _cosign(visit: Visit) -> web.StreamResponse:
    sheet = await visit.console.desk.show(visit.number())
    if alert_view.asked(visit, sheet).code:
        await _prove(visit)
    await visit.console.desk.cosign(visit.number(), await visit.text("digest"), visit.login)
    return visit.go(f"/alerts/{visit.number()}")


@routes.post(r"/alerts/{id:\d{1,18}}/reject", "approve")
async def reject(visit: Visit) -> web.StreamResponse:
    """Send it back to its author, with a reason."""
    return await _at_the_form(visit, _reject)


async def _reject(visit: Visit) -> web.StreamResponse:
    digest, reason = await visit.text("digest"), await visit.text("reason")
    await visit.console.desk.reject(visit.number(), digest, visit.login, reason)
    return visit.go(f"/alerts/{visit.number()}")


@routes.post(r"/alerts/{id:\d{1,18}}/submit", "draft", "cancel")
async def submit(visit: Visit) -> web.StreamResponse:
    """Ask for approval."""
    await visit.console.desk.submit(visit.number(), visit.login)
    return visit.go(f"/alerts/{visit.number()}")


@routes.post(r"/alerts/{id:\d{1,18}}/withdraw", "draft", "cancel")
async def withdraw(visit: Visit) -> web.StreamResponse:
    """Give it up."""
    await visit.console.desk.withdraw(visit.number(), visit.login)
    return visit.go(f"/alerts/{visit.number()}")


async def _at_the_form(
    visit: Visit, work: Callable[[Visit], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await work(visit)
    except DeskRefused as error:
        if error.code not in _AT_THE_FORM:
            raise
        return await alert.page(visit, refusals.words(visit, error), 422)


async def confirm(visit: Visit, digest: str) -> None:
    """Refuse unless whoever signs or sends has given what the policy asks for.

    Raises:
        DeskRefused: ``stale``, ``typed_place``, ``typed_count``, ``proof``, or as the code is refused.
    """
    sheet = await visit.console.desk.show(visit.number())
    if sheet.alert.digest is not None and sheet.alert.digest != digest:  # before a code is used up for it
        raise signing.stale(sheet.alert)
    asked = alert_view.asked(visit, sheet)
    if asked.typed:
        await _check_typed(visit, asked)
    if asked.code:
        await _prove(visit)


async def _check_typed(visit: Visit, asked: alert_view.Asked) -> None:
    if _bare(await visit.text("place")) != _bare(asked.place):
        raise DeskRefused("typed_place", f"type the place: {asked.place}", place=asked.place)
    if _bare(await visit.text("count")) != str(asked.people):
        raise DeskRefused("typed_count", f"type the number of people: {asked.people}", count=asked.people)


def _bare(typed: str) -> str:
    """Return what was typed without what hands do differently: width, case, spaces, commas."""
    return unicodedata.normalize("NFKC", typed).casefold().translate(_SEPARATORS)


async def _prove(visit: Visit) -> None:
    if not await proved(visit, fresh=True):
        raise DeskRefused("proof", "give a code of the second factor with this step")
