"""The grounds on which a rule sends a message without approval: its source alone, or a second that agrees."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.alerts.model import Alert, MsgType
from gateway.desk.signing import ByRule
from gateway.feeds.place import overlap
from gateway.feeds.rules import beyond, speaks_for
from gateway.store import incoming, switches

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.feeds.at_desk import AtDesk
    from gateway.feeds.settings import RuleSettings
    from gateway.store.incoming import IncomingRow


class Agreement:
    """Says whether a rule sends a message, and which messages a second word lets go."""

    def __init__(self, at_desk: AtDesk) -> None:
        """Keep what is needed."""
        self._at_desk = at_desk
        self._origins = at_desk.origins

    async def grounds(self, connection: AsyncConnection, row: IncomingRow) -> tuple[ByRule | None, str]:
        """Return why a rule lets the message go without approval, or nothing and why not.

        The rule is that of this moment, which need not be the one that the message was judged by; and what
        was read of a source before people turned it off speaks for no release any more.
        """
        rule, since = self._origins.rule(row.source), self._at_desk.now - timedelta(hours=1)
        off = await switches.off_sources(connection)
        if why := "its source is turned off" if row.source in off else self._out_of_bounds(row, rule):
            return None, f"{why}: a person approves"
        lately = await incoming.released_since(connection, row.source, since)
        if lately >= rule.most_per_hour:
            return None, f"{lately} were sent by rule within the hour, which is the limit: a person approves"
        if rule.release_alone:
            return _by_rule(row, "its source is named to send alone")
        agreeing = {*rule.agrees_with} - off
        if named := sorted({*row.agreeing} & agreeing):
            return _by_rule(row, f"{', '.join(named)} found the same event")
        second = await self._second(connection, row, rule, agreeing)
        if second is None:
            return None, "no second source says the same yet: a person approves"
        return _by_rule(row, f"{second.source} says the same (message {second.id})")

    async def waiting(self, row: IncomingRow, source: str) -> list[IncomingRow]:
        """Return the messages that wait for a second source and that this message may be about."""
        names = self._origins.waiting_for(source)
        if not names or not self._may_confirm(row):
            return []
        longest = max(timedelta(minutes=self._origins.rule(name).agree_minutes) for name in names)
        async with self._at_desk.database.begin() as connection:
            return await incoming.waiting_for_agreement(
                connection, names, row.hazard, row.sent - longest, row.sent + longest
            )

    def agree(self, row: IncomingRow, other: IncomingRow) -> bool:
        """Return whether another message confirms one: another sender, the same time and place."""
        span = timedelta(minutes=self._origins.rule(row.source).agree_minutes)
        return (
            row.sender != other.sender
            and row.msg_type != MsgType.CANCEL
            and self._may_confirm(other)
            and abs(row.sent - other.sent) <= span
            and overlap(row.regions, other.regions)
        )

    def _may_confirm(self, row: IncomingRow) -> bool:
        """Whether a message is in good standing and holds at this moment."""
        return (
            bool(row.hazard)
            and row.msg_type != MsgType.CANCEL
            and row.state in incoming.GOOD_STANDING
            and (row.expires is None or row.expires > self._at_desk.now)
        )

    def _out_of_bounds(self, row: IncomingRow, rule: RuleSettings) -> str:
        """Return why the rule, as it is by now, does not cover a message; empty: it does."""
        if rule.action != "release" or not self._origins.official(row.source):
            return "its source's rule does not send by itself any more"
        if self._at_desk.now - row.sent > rule.max_age:
            return "it is older than its source's rule takes by now"
        if not speaks_for(rule, row.sender):
            return f"its sender {row.sender} is none that this source speaks for"
        alert = Alert.model_validate(row.content)
        return beyond(rule, alert, row.regions, self._at_desk.office.hazards)

    async def _second(
        self, connection: AsyncConnection, row: IncomingRow, rule: RuleSettings, agreeing: set[str]
    ) -> IncomingRow | None:
        span = timedelta(minutes=rule.agree_minutes)
        official = [name for name in agreeing if self._origins.official(name)]
        found = await incoming.seen_by(connection, official, row.hazard, row.sent - span, row.sent + span)
        return next((one for one in found if self.agree(row, one)), None)


def _by_rule(row: IncomingRow, grounds: str) -> tuple[ByRule, str]:
    return ByRule(source=row.source, grounds=grounds), f"sent by rule: {grounds}"
