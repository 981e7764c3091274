"""Steps on the roster: who is on duty, who is away and who stands in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.desk import scope, staff
from gateway.desk.refused import DeskRefused
from gateway.store import desk as people
from gateway.store import duty as store

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.desk.steps import Step
    from gateway.store.desk import Person

LONGEST_DUTY = timedelta(hours=48)
LONGEST_ABSENCE = timedelta(days=366)
LONGEST_REASON = 200
MOST_DAYS = 31
"""Days that one entry may be repeated for."""


class Span(NamedTuple):
    """From when until when."""

    begins_at: datetime
    ends_at: datetime


async def add_duties(step: Step, login: str, post: str, span: Span, days: int = 1) -> list[int]:
    """Put somebody on duty, at the same hours of so many days, and return the numbers."""
    person = await _edits(step, login)
    _check_span(span, LONGEST_DUTY)
    if post not in store.POSTS or not 1 <= days <= MOST_DAYS:
        raise DeskRefused("duty", f"a post of {', '.join(store.POSTS)}, for 1 to {MOST_DAYS} days")
    if not person.active:
        raise DeskRefused("no_person", f"{login} does not work at this desk any more", person=login)
    await people.hold_name(step.connection, f"duties {login}")
    return [await _add_duty(step, login, post, _later(span, day)) for day in range(days)]


async def _add_duty(step: Step, login: str, post: str, span: Span) -> int:
    if await store.clashing_duty(step.connection, login, *span):
        raise DeskRefused(
            "duty_clash",
            f"{login} is on duty already in a part of the time from {span.begins_at.isoformat()}",
            person=login,
            begins=span.begins_at,
        )
    values = {"login": login, "post": post, "made_by": step.actor, **span._asdict()}
    number = await store.add_duty(step.connection, **values)
    step.record("duty", f"person {login}", post=post, begins=span.begins_at, ends=span.ends_at)
    return number


async def remove_duty(step: Step, number: int) -> None:
    """Take a time of duty out of the roster; out of it already is no error."""
    await _may_edit(step)
    found = await store.remove_duty(step.connection, number)
    if found is None:
        return
    login, post, begins_at = found
    await _edits(step, login)
    step.record("duty_removed", f"person {login}", post=post, begins=begins_at)


async def add_absence(
    step: Step, login: str, span: Span, deputy: str | None, reason: str, *, own: bool = False
) -> int:
    """Note that somebody is away, and who is asked instead; return the number.

    ``own`` is for the person's own entry, which takes no right.
    """
    person = await _away(step, login, own=own)
    _check_span(span, LONGEST_ABSENCE)
    if span.ends_at <= step.now:
        raise DeskRefused("absence", "the absence is over already: give a later end")
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise DeskRefused("absence_reason", f"say why, in one line of at most {LONGEST_REASON} characters")
    await people.hold_name(step.connection, f"absences {login}")
    if await store.clashing_absence(step.connection, login, *span):
        raise DeskRefused("absence_clash", f"{login} is noted as away in a part of that time", person=login)
    if deputy is not None:
        await _check_deputy(step, person, deputy)
    values = {"login": login, "deputy": deputy, "reason": reason, **span._asdict()}
    number = await store.add_absence(step.connection, **values, made_by=step.actor, made_at=step.now)
    said = {"deputy": deputy, "begins": span.begins_at, "ends": span.ends_at}
    step.record("absence", f"person {login}", **said, reason=reason)
    return number


async def end_absence(step: Step, number: int, *, own: bool = False) -> None:
    """End an absence at once; ended already it stays as it was."""
    found = await store.absence(step.connection, number)
    if found is None:
        raise DeskRefused("no_absence", f"there is no absence {number}")
    login, _ = found
    await _away(step, login, own=own)
    if await store.end_absence(step.connection, number, step.now):
        step.record("absence_ended", f"person {login}")


async def _may_edit(step: Step) -> Person:
    """Return the actor, who may edit the roster: by either of two rights."""
    try:
        return await step.may("operate")
    except DeskRefused as refused:
        if refused.code != "role":
            raise
    return await step.may("administer")


async def _edits(step: Step, login: str) -> Person:
    """Return the person whose duty it is, or refuse where the actor's rights do not reach that far."""
    actor, person = await _may_edit(step), await staff.known(step, login)
    if actor.region is not None and not (person.region and scope.covers(actor, person.region)):
        raise DeskRefused(
            "administers",
            f"{actor.login} administers {actor.region} only: ask an administrator without a region",
            person=actor.login,
            region=actor.region,
        )
    return person


async def _away(step: Step, login: str, *, own: bool) -> Person:
    person = await staff.known(step, login)
    if own and login == step.actor:
        if not person.active:
            raise DeskRefused("person", f"{login} does not work at this desk (any more)", person=login)
    else:
        await staff.administrator(step, person.region)
    return person


async def _check_deputy(step: Step, person: Person, login: str) -> None:
    """Refuse a deputy who could not sign what the person would be asked to sign."""
    deputy = await staff.known(step, login)
    reaches = deputy.region is None or (person.region is not None and scope.covers(deputy, person.region))
    may = deputy.active and step.policy.allows("approve", deputy.roles)
    if deputy.login == person.login or not may or not reaches:
        raise DeskRefused(
            "deputy",
            f"{login} cannot stand in for {person.login}: a deputy is another person who may approve there",
            person=person.login,
            deputy=login,
        )


def _check_span(span: Span, longest: timedelta) -> None:
    if not span.begins_at < span.ends_at <= span.begins_at + longest:
        raise DeskRefused(
            "span",
            f"the end comes after the beginning, and at most {longest.total_seconds() / 3600:g} hours later",
            hours=longest.total_seconds() / 3600,
        )


def _later(span: Span, days: int) -> Span:
    return Span(span.begins_at + timedelta(days=days), span.ends_at + timedelta(days=days))
