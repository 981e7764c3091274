"""The steps on the page of an alert: sign, send, send back; what is signed is what was shown.

Each form carries the digest that the page showed. Whether the step can be taken at all is looked at
first, then what the policy asks for before it (place and number typed), and the code of the second factor
last, since it is used up.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from gateway.desk import signing
from gateway.desk.refused import DeskRefused
from gateway.store.faults import DATABASE_FAULTS, took_back
from gateway.web.console import alert, alert_view, refusals
from gateway.web.console.proof import kept, proved
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()

_AT_THE_FORM = frozenset({"proof", "code", "wait", "no_factor", "typed_place", "typed_count", "reason"})
"""Refusals that are shown at the form, so that it can be sent again."""
_BETWEEN = "、"
"""Stands between the names of several places."""
_SEPARATORS = str.maketrans(dict.fromkeys(f"{_BETWEEN},，;； \t", ""))


@routes.post(r"/alerts/{id:\d{1,18}}/approve", "approve")
async def approve(visit: Visit) -> web.StreamResponse:
    """Sign what was shown, and send it where that was the button."""
    return await _at_the_form(visit, _approve)


async def _approve(visit: Visit) -> web.StreamResponse:
    desk, digest = visit.console.desk, await visit.text("digest")
    send = await visit.text("then") == "send"
    asked = await _asked(visit)
    if asked.any and await desk.check_approve(visit.number(), digest, visit.login, send=send):
        await confirm(visit, asked)
    async with kept(visit):
        signed = await desk.approve(visit.number(), digest, visit.login)
    if signed.released is not None:
        return visit.go(f"/releases/{signed.released.id}")
    if send and signed.alert.state == "approved":
        return visit.go(await _sent(visit, digest))
    return visit.go(f"/alerts/{visit.number()}")


async def _sent(visit: Visit, digest: str) -> str:
    """Send what was signed a moment ago; return the page of its release, or its own where it waits yet."""
    try:
        done = await visit.console.desk.release(visit.number(), visit.login, digest)
    except DATABASE_FAULTS as error:
        if not took_back(error):
            raise
        return f"/alerts/{visit.number()}"  # the signature stands, and the page has the button
    return f"/releases/{done.id}"


@routes.post(r"/alerts/{id:\d{1,18}}/release", "release")
async def release(visit: Visit) -> web.StreamResponse:
    """Send what was approved; sent twice it leads to the one release."""
    return await _at_the_form(visit, _release)


async def _release(visit: Visit) -> web.StreamResponse:
    desk, digest = visit.console.desk, await visit.text("digest")
    asked = await _asked(visit)
    if asked.any and await desk.check_release(visit.number(), visit.login, digest):
        await confirm(visit, asked)
    async with kept(visit):
        done = await desk.release(visit.number(), visit.login, digest)
    return visit.go(f"/releases/{done.id}")


@routes.post(r"/alerts/{id:\d{1,18}}/emergency", "release")
async def send_alone(visit: Visit) -> web.StreamResponse:
    """Sign and send by the emergency path."""
    return await _at_the_form(visit, _send_alone)


async def _send_alone(visit: Visit) -> web.StreamResponse:
    desk, digest, reason = visit.console.desk, await visit.text("digest"), await visit.text("reason")
    asked = await _asked(visit)
    if asked.any and await desk.check_release_alone(visit.number(), digest, visit.login, reason):
        await confirm(visit, asked)
    async with kept(visit):
        done = await desk.release_alone(visit.number(), digest, visit.login, reason)
    return visit.go(f"/releases/{done.id}")


@routes.post(r"/alerts/{id:\d{1,18}}/cosign", "approve")
async def cosign(visit: Visit) -> web.StreamResponse:
    """Sign what one person sent by the emergency path."""
    return await _at_the_form(visit, _cosign)


async def _cosign(visit: Visit) -> web.StreamResponse:
    desk, digest = visit.console.desk, await visit.text("digest")
    asked = await _asked(visit)
    if asked.code and await desk.check_cosign(visit.number(), digest, visit.login):
        await _prove(visit)
    async with kept(visit):
        await desk.cosign(visit.number(), digest, visit.login)
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
    await visit.console.desk.submit(visit.number(), visit.login, await visit.version())
    return visit.go(f"/alerts/{visit.number()}")


@routes.post(r"/alerts/{id:\d{1,18}}/withdraw", "draft", "cancel")
async def withdraw(visit: Visit) -> web.StreamResponse:
    """Give it up."""
    digest, version = await visit.text("digest"), await visit.version()
    await visit.console.desk.withdraw(visit.number(), visit.login, digest, version)
    return visit.go(f"/alerts/{visit.number()}")


async def _at_the_form(
    visit: Visit, work: Callable[[Visit], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await work(visit)
    except DeskRefused as error:
        if error.code not in _AT_THE_FORM:
            raise
        row = (await visit.console.desk.show(visit.number())).alert
        if row.digest != await visit.text("digest"):  # the page would show, and let sign, something else
            raise signing.stale(row) from None
        return await alert.page(visit, refusals.words(visit, error), 422)


async def _asked(visit: Visit) -> alert_view.Asked:
    return alert_view.asked(visit, await visit.console.desk.show(visit.number()))


async def confirm(visit: Visit, asked: alert_view.Asked) -> None:
    """Refuse unless whoever signs or sends has given what the policy asks for.

    Raises:
        DeskRefused: ``typed_place``, ``typed_count``, ``proof``, or as the code is refused.
    """
    if asked.typed:
        await _check_typed(visit, asked)
    if asked.code:
        await _prove(visit)


async def _check_typed(visit: Visit, asked: alert_view.Asked) -> None:
    if not same_place(await visit.text("place"), asked.place):
        raise DeskRefused("typed_place", f"type the place: {asked.place}", place=asked.place)
    if _bare(await visit.text("count")) != str(asked.people):
        raise DeskRefused("typed_count", f"type the number of people: {asked.people}", count=asked.people)


def same_place(typed: str, place: str) -> bool:
    """Return whether the place, or the list of places, was typed; people write 和 between two names."""
    one, other = _bare(typed), _bare(place)
    if _BETWEEN in place:
        one, other = one.replace("和", ""), other.replace("和", "")
    return one == other


def _bare(typed: str) -> str:
    """Return what was typed without what hands do differently: width, case, spaces, commas."""
    return unicodedata.normalize("NFKC", typed).casefold().translate(_SEPARATORS)


async def _prove(visit: Visit) -> None:
    if not await proved(visit, fresh=True):
        raise DeskRefused("proof", "give a code of the second factor with this step")
