"""Drills as steps of the desk: started and ended by a person, with a title, one at a time.

A drill warning keeps its own lane, credentials and mark whether or not a drill runs: those hang on the
mode of the warning. What the drill adds is that everybody sees that one runs, and that the console drafts
drill warnings only meanwhile (:func:`need_running`). The command line and the demo draft them at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.desk.checks import speaks_of_the_real
from gateway.desk.refused import DeskRefused
from gateway.desk.scope import check_everywhere
from gateway.desk.steps import step
from gateway.store import drills as store

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.desk.service import Desk
    from gateway.store.database import Database
    from gateway.store.drills import Drill

LONGEST_TITLE = 60


async def running(database: Database) -> Drill | None:
    """Return the drill that runs."""
    async with database.begin() as connection:
        return await store.running(connection)


async def need_running(database: Database) -> Drill:
    """Return the drill that runs, or refuse: a drill warning is drafted in a drill only."""
    drill = await running(database)
    if drill is None:
        raise DeskRefused("no_drill", "no drill runs: start one on the page of drills first")
    return drill


async def start(desk: Desk, title: str, person: str) -> int:
    """Start a drill and return its number; asked again with the same title it returns the one that runs."""
    said = _title(title)
    async with step(desk.database, person, desk.clock.now(), desk.office.policy) as one:
        check_everywhere(await one.may("operate"))
        number = await store.start(one.connection, said, person, one.now)
        if number is None:
            return await _same(one.connection, said)
        one.record("start_drill", f"drill {number}", title=said)
        return number


async def _same(connection: AsyncConnection, title: str) -> int:
    """Return the number of the drill that runs if it is the one that was asked for, or refuse."""
    runs = await store.running(connection)
    if runs is None or runs.title != title:
        said = runs.title if runs else ""
        raise DeskRefused("drill_runs", f"a drill runs already: {said}; end it first", title=said)
    return runs.id


async def end(desk: Desk, number: int, person: str) -> None:
    """End a drill; one that is over stays as it is. Its warnings stand until they are cancelled or expire."""
    async with step(desk.database, person, desk.clock.now(), desk.office.policy) as one:
        check_everywhere(await one.may("operate"))
        drill = await store.one(one.connection, number)
        if drill is None:
            raise DeskRefused("no_drill", f"there is no drill {number}", why="number", drill=number)
        if drill.ended_at is None:
            await store.end(one.connection, number, person, one.now)
            one.record("end_drill", f"drill {number}", title=drill.title)


def _title(title: str) -> str:
    said = title.strip()
    if not said or len(said) > LONGEST_TITLE or not said.isprintable():
        raise DeskRefused("title", f"name the drill in one line of at most {LONGEST_TITLE} characters")
    if word := speaks_of_the_real(said):
        raise DeskRefused(
            "live_words", f"title of a drill says '{word}': a drill must not deny it", path="title", word=word
        )
    return said
