"""What came in, in its order: who replaces whom, in whatever order the messages arrived. Pure.

The rules are those of :mod:`gateway.alerts.chain`. Where a source ties its messages by the name of the event
rather than by references, a later Update or Cancel counts as naming all earlier ones of that event.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.chain import Chain
from gateway.alerts.model import Alert, MsgType, Reference
from gateway.feeds.place import overlap

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from gateway.alerts.model import AlertKey
    from gateway.store.incoming import IncomingRow

FOLLOWING = (MsgType.UPDATE, MsgType.CANCEL)


class Message(NamedTuple):
    """One message that came in, with its alert."""

    row: IncomingRow
    alert: Alert

    @property
    def key(self) -> AlertKey:
        """Its key."""
        return self.alert.key


class Order(NamedTuple):
    """What a set of related messages amounts to."""

    chain: Chain
    messages: tuple[Message, ...]

    def superseded_by(self, key: AlertKey) -> tuple[Alert, ...]:
        """Return the Updates and Cancels that directly replace a message."""
        return self.chain.superseders(key)

    def replaced(self, key: AlertKey) -> list[Message]:
        """Return every message that this one replaces, directly or through others, oldest first."""
        before = self._before(key) | {one.key for one in self.siblings(key)}
        return [one for one in self.messages if one.key in before]

    def siblings(self, key: AlertKey) -> list[Message]:
        """Return the earlier Updates of what this Update is about, for some of the same places.

        Some sources name only the first issue in every message of an event. Updates for other places stand
        beside each other: they are parts of what was one warning.
        """
        own = next((one for one in self.messages if one.key == key), None)
        if own is None or own.alert.msg_type != MsgType.UPDATE:
            return []
        beside = {by.key for at in self._before(key) for by in self.superseded_by(at)}
        return [one for one in self.messages if one.key in beside and _is_followed(one, own)]

    def _before(self, key: AlertKey) -> set[AlertKey]:
        """Return the keys of what a message replaces, directly or through others, here or not."""
        found: set[AlertKey] = set()
        todo = {key}
        while todo:
            todo = {target for at in todo for target in self.chain.superseded(at)} - found
            found |= todo
        return found

    def taken_back(self, key: AlertKey) -> list[Message]:
        """Return every message that a Cancel ends, oldest first.

        That is what it replaces, and what followed that until the Cancel was sent: some sources name only the
        first issue in every message of an event.
        """
        before = self._before(key)
        ended, todo = set(before), before
        while todo:
            todo = {by.key for at in todo for by in self.superseded_by(at) if by.sent <= key.sent} - ended
            ended |= todo
        return [one for one in self.messages if one.key in ended and one.alert.msg_type != MsgType.CANCEL]

    def is_over(self, key: AlertKey) -> bool:
        """Return whether the message is replaced, or a later Cancel or Update is about what it followed.

        Some sources name only the first issue in every message of an event.
        """
        if self.superseded_by(key):
            return True
        beside = [by for at in self._before(key) for by in self.superseded_by(at) if by.key != key]
        if any(by.msg_type == MsgType.CANCEL and by.sent >= key.sent for by in beside):
            return True
        later = {by.key for by in beside}
        own = [one for one in self.messages if one.key == key]
        return any(_is_followed(one, by) for one in own for by in self.messages if by.key in later)

    def is_held(self, key: AlertKey) -> bool:
        """Return whether messages of this key differ."""
        return key in self.chain.held

    def refused(self, key: AlertKey) -> list[AlertKey]:
        """Return what the message claims to replace and may not."""
        return [claim.target for claim in self.chain.refused if claim.by == key]


def _is_followed(one: Message, by: Message) -> bool:
    """Whether of two Updates of one message the second takes the place of the first."""
    both = (one.alert.msg_type, by.alert.msg_type)
    return (
        both == (MsgType.UPDATE, MsgType.UPDATE)
        and one.alert.sent < by.alert.sent
        and overlap(one.row.regions, by.row.regions)
    )


def order(rows: Sequence[IncomingRow], delegates: Mapping[str, Collection[str]]) -> Order:
    """Return the order of related messages.

    Args:
        rows: All that are related.
        delegates: Sender -> other senders that may change its alerts.
    """
    messages = tuple(Message(row, Alert.model_validate(row.content)) for row in rows)
    tied = _tied(messages)
    return Order(Chain([tied[one.row.id] for one in messages], delegates=delegates), messages)


def _tied(messages: Sequence[Message]) -> dict[int, Alert]:
    """Return the alerts, those of one event naming all earlier ones of it."""
    events: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for one in sorted(messages, key=lambda one: (one.alert.sent, one.row.id)):
        if one.row.event_key:
            events[one.row.sender, one.row.event_key].append(one)
    alerts = {one.row.id: one.alert for one in messages}
    for same in events.values():
        for one in same:
            if one.alert.msg_type in FOLLOWING:
                # What was sent at the same instant stands beside it: parts of one product, for other places.
                before = [other.alert for other in same if other.alert.sent < one.alert.sent]
                alerts[one.row.id] = with_references(one.alert, before)
    return alerts


def with_references(alert: Alert, earlier: Sequence[Alert]) -> Alert:
    """Return the alert naming these messages as well."""
    named = {one.key for one in alert.references} | {alert.key}
    more = [
        Reference(sender=one.sender, identifier=one.identifier, sent=one.sent)
        for one in earlier
        if one.key not in named
    ]
    return alert.model_copy(update={"references": (*alert.references, *more)}) if more else alert
