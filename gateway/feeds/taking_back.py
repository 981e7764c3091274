"""What is done at the desk for what is taken back, replaced or in question: withdraw, cancel, or ask."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.desk import ruled
from gateway.desk.refused import DeskRefused
from gateway.desk.signing import ByRule
from gateway.desk.steps import authors_of
from gateway.feeds.at_desk import IN_WORK
from gateway.store import incoming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.feeds.at_desk import AtDesk
    from gateway.feeds.order import Message, Order
    from gateway.store.desk import AlertRow
    from gateway.store.incoming import IncomingRow


class TakingBack:
    """Takes back what messages led to, as far along as each of them got."""

    def __init__(self, at_desk: AtDesk) -> None:
        """Keep what is needed."""
        self._at_desk = at_desk
        self._origins = at_desk.origins

    async def clear_the_way(self, row: IncomingRow, replaced: Sequence[Message]) -> int | None:
        """Withdraw drafts that a message replaces; return the number of one that people have changed."""
        for one in replaced:
            ours = await self._at_desk.ours(one.row)
            if ours is None or ours.state not in IN_WORK:
                continue
            author = await self._at_desk.author(one.row.source)
            if authors_of(ours) != {author}:
                return ours.id
            reason = f"message {row.id} of its source took its place before it was sent"
            await self._give_up(one.row, ours, author, reason)
        return None

    async def withdraw(self, row: IncomingRow) -> None:
        """Take what was made of a message that is in question out of the desk's work.

        What people changed or sent they have made their own: they are told.
        """
        ours = await self._at_desk.ours(row)
        try:
            author = await self._at_desk.author(row.source)
            is_own = ours is not None and ours.state in IN_WORK and authors_of(ours) == {author}
            if ours is not None and is_own and await self._give_up(row, ours, author, row.reason):
                return
            why = ""
        except DeskRefused as refused:
            why = f" ({refused.sentence})"
        await self._tell_of_question(row, why)

    async def _tell_of_question(self, row: IncomingRow, why: str) -> None:
        """Tell people that what they have made of a message is in question, if they have."""
        ours = await self._at_desk.ours(row)
        is_at_work = ours is not None and ours.state in {*IN_WORK, "released"}
        if ours is not None and is_at_work:
            sentence = f"alert {ours.id} is {ours.state}, and {row.reason}{why}: look at it again"
            await self._at_desk.alarm(row, "alert_in_question", sentence)
        state = row.state if is_at_work or row.state == "quarantined" else "superseded"
        async with self._at_desk.database.begin() as connection:
            await self._at_desk.note(connection, row, state=state, todo=None)

    async def cancel(self, row: IncomingRow, ordered: Order) -> None:
        """Act on a Cancel: whatever it takes back and led to something here."""
        rows = [one.row for one in ordered.taken_back(row.key)]
        reason = await self.take_back(rows, row, f"{row.source} takes it back")
        reason = reason or "nothing of what it takes back was in work or sent here"
        async with self._at_desk.database.begin() as connection:
            await self._at_desk.note(connection, row, todo=None, reason=reason)

    async def take_back(self, rows: Sequence[IncomingRow], by: IncomingRow, why: str) -> str:
        """Take messages back, each by itself; where the desk refuses that, people are told.

        Args:
            rows: What is taken back.
            by: The message whose source takes it back.
            why: What that source did, as half a sentence.

        Returns:
            What was done, in sentences; empty where nothing of it was in work or sent.
        """
        said: dict[int, str] = {}
        for row in rows:
            ours = await self._at_desk.in_force(await self._at_desk.ours(row))
            if ours is None or ours.id in said:
                continue
            try:
                said[ours.id] = await self._take_back_one(row, ours, by, why)
            except DeskRefused as refused:
                said[ours.id] = f"alert {ours.id} is {ours.state}, and {why}: {refused.sentence}"
                await self._at_desk.alarm(row, "source_took_back", said[ours.id])
        return "; ".join(said.values())

    async def _take_back_one(self, row: IncomingRow, ours: AlertRow, by: IncomingRow, why: str) -> str:
        """Withdraw, cancel or ask, as far along as the message got; return what was done as a sentence."""
        author = await self._at_desk.author(by.source)
        if ours.state in IN_WORK and await self._give_up(row, ours, author, f"{why}: withdrawn"):
            return await self._withdrawn(row, ours, why)
        ours = await self._at_desk.in_force(ours) or ours  # it may have been sent in this very moment
        if self._may_retract(row, ours, by):
            try:
                return await self._retract(row, ours, author, ByRule(source=by.source, grounds=why))
            except DeskRefused as refused:
                why = f"{why} ({refused.sentence})"
        return await self._ask(row, ours, author, by.source, why)

    # Before it was sent

    async def _give_up(self, row: IncomingRow, ours: AlertRow, author: str, reason: str) -> bool:
        """Withdraw an alert and note it with its message; False where it has left the desk by now."""
        async with self._at_desk.step(author) as one:
            await one.may("draft")
            current = await one.hold(ours.id)
            if current.state not in IN_WORK:
                return False
            await one.change(current, "withdraw")
            one.record("withdraw", current.id, reason=reason)
            state = row.state if row.state == "quarantined" else "superseded"
            await incoming.change(
                one.connection, row.id, state=state, todo=None, reason=reason, changed_at=one.now
            )
        return True

    async def _withdrawn(self, row: IncomingRow, ours: AlertRow, why: str) -> str:
        """Say that a draft is withdrawn; who had a hand in it is told."""
        sentence = f"alert {ours.id} is withdrawn"
        if authors_of(ours) != {self._origins.login(row.source)}:
            told = f"{sentence}, which people had changed: {why}; draft a new one if there still is danger"
            await self._at_desk.alarm(row, "source_took_back", told)
        return sentence

    # After it was sent

    def _may_retract(self, row: IncomingRow, ours: AlertRow, by: IncomingRow) -> bool:
        """Whether a source that is named for it takes back what a rule sent, within its window."""
        named = self._origins.names(by.source, by.sender)
        if row.released_at is None or "by_rule" not in (ours.plan or {}) or not named:
            return False
        window = timedelta(minutes=self._origins.rule(by.source).retract_minutes)
        return self._at_desk.now - row.released_at <= window

    async def _retract(self, row: IncomingRow, ours: AlertRow, author: str, why: ByRule) -> str:
        async with self._at_desk.step(author) as one:
            await ruled.halt(one, ours.id)
        async with self._at_desk.step(author) as one:
            await ruled.cancel(one, self._at_desk.office, ours.id, why)
            reason = f"{why['grounds']}: cancelled by its rule"
            taken = {"state": "taken_back", "todo": None, "reason": reason, "changed_at": one.now}
            await incoming.change_of_alert(one.connection, ours.id, **taken)
            await incoming.change(one.connection, row.id, **taken)
        return f"alert {ours.id} is cancelled by rule"

    async def _ask(self, row: IncomingRow, ours: AlertRow, author: str, source: str, why: str) -> str:
        """Leave the Cancel to people, ready for their approval where the rule lets the source submit."""
        way = f"tongda desk cancel {ours.id}"
        if self._origins.rule(source).action in {"submit", "release"}:
            try:
                cancel = await self._at_desk.desk.cancel(ours.id, author)
                way = f"its Cancel, alert {cancel.id}, is {cancel.state}"
            except DeskRefused as refused:
                way = f"{refused.sentence}; {way}"
        sentence = f"alert {ours.id} was sent, and {why}: {way}"
        await self._at_desk.alarm(row, "source_took_back", sentence)
        return sentence
