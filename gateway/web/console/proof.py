"""The second factor, asked for again before what cannot be taken back."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.accounts import proving
from gateway.store.faults import DATABASE_FAULTS, took_back

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from gateway.web.console.visit import Visit

FIELD = "code"
"""The form's field with the six digits."""
WITHIN = timedelta(minutes=5)
"""A code counts for so long, where none is asked for this very step."""


async def proved(visit: Visit, *, fresh: bool = False) -> bool:
    """Return whether the second factor was given: with this form, or a moment ago.

    Args:
        visit: A POST of somebody who is signed in; the form may have the field :data:`FIELD`.
        fresh: Whether only a code of this very form counts.

    Raises:
        DeskRefused: the form's code is wrong or was used before, or there were too many wrong ones.
    """
    code = await visit.text(FIELD)
    assert visit.session is not None
    if code:
        console = visit.console
        visit.spent = await proving.prove(console.database, console.sealing, visit.session, code, visit.now)
        return True
    return not fresh and recent(visit)


@asynccontextmanager
async def kept(visit: Visit) -> AsyncIterator[None]:
    """Take one step, in one transaction; where the database takes it back, the form's code serves again."""
    try:
        yield
    except DATABASE_FAULTS as error:
        if took_back(error) and visit.spent is not None:
            spent, visit.spent = visit.spent, None
            with suppress(*DATABASE_FAULTS):  # else the person takes the next code
                await proving.give_back(visit.console.database, spent)
        raise


def recent(visit: Visit) -> bool:
    """Return whether the second factor was given in this session a moment ago."""
    assert visit.session is not None
    return visit.now - visit.session.proved_at <= WITHIN


async def ask(visit: Visit) -> web.Response:
    """Return the page that asks for the code and then sends this form again, with the code."""
    form = await visit.form()
    fields = [(name, value) for name, value in form.items() if isinstance(value, str) and name != FIELD]
    return visit.render("prove.html", 422, fields=fields)
