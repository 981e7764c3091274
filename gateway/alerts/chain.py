"""Chains: which alerts of a set are live, given the Updates and Cancels among them.

An alert is superseded by an Update or Cancel that names it, from the instant that one was sent, in whatever
order the two arrive. It never comes back: not when the superseding message expires, nor when that is itself
superseded. A message counts only against alerts of its own sender, or of senders that name it as their
delegate, and only against alerts of the same status, so that no test cancels a real warning.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.model import AlertKey, MsgType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from gateway.alerts.model import Alert

_SUPERSEDING = (MsgType.UPDATE, MsgType.CANCEL)
_WARNING = (MsgType.ALERT, MsgType.UPDATE)


class Claim(NamedTuple):
    """``by`` says that it supersedes ``target``."""

    by: AlertKey
    target: AlertKey


class Chain:
    """What a set of messages, in any order, amounts to.

    Attributes:
        alerts: Key -> message; of several with one key the first.
        conflicts: Messages with the key of another but other content: somebody must look.
        refused: Claims of senders that may not supersede the target, or of another status.
        unknown: References to messages that are not in the set. They may still come.
    """

    def __init__(
        self, alerts: Iterable[Alert], *, delegates: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """Index the messages.

        Args:
            alerts: The messages.
            delegates: Sender -> other senders that may supersede its alerts.
        """
        self.alerts: dict[AlertKey, Alert] = {}
        self.conflicts: list[Alert] = []
        self.refused: list[Claim] = []
        self.unknown: list[Claim] = []
        self._delegates = delegates or {}
        self._superseders: dict[AlertKey, list[Alert]] = defaultdict(list)
        for alert in alerts:
            known = self.alerts.setdefault(alert.key, alert)
            if known != alert:
                self.conflicts.append(alert)
        self._link()

    def _link(self) -> None:
        by_identifier: dict[tuple[str, str], list[AlertKey]] = defaultdict(list)
        for key in self.alerts:
            by_identifier[key.sender, key.identifier].append(key)
        for alert in self.alerts.values():
            if alert.msg_type not in _SUPERSEDING:
                continue
            loose = [key for name in alert.malformed_references for key in by_identifier[alert.sender, name]]
            for target in {*(reference.key for reference in alert.references), *loose} - {alert.key}:
                self._claim(alert, target)

    def _claim(self, alert: Alert, target: AlertKey) -> None:
        known = self.alerts.get(target)
        allowed = alert.sender == target.sender or alert.sender in self._delegates.get(target.sender, ())
        if not allowed or (known is not None and known.status != alert.status):
            self.refused.append(Claim(alert.key, target))
            return
        if known is None:
            self.unknown.append(Claim(alert.key, target))
        self._superseders[target].append(alert)

    def superseded_at(self, key: AlertKey) -> datetime | None:
        """The instant from which the alert, known or not, is superseded; ``None`` where it is not."""
        return min((alert.sent for alert in self._superseders.get(key, ())), default=None)

    def superseders(self, key: AlertKey) -> tuple[Alert, ...]:
        """The Updates and Cancels that directly supersede the alert, oldest first."""
        return tuple(sorted(self._superseders.get(key, ()), key=lambda alert: alert.sent))

    def latest(self, key: AlertKey) -> tuple[Alert, ...]:
        """What stands at the end of the chain: followed from the alert until nothing supersedes any more."""
        return tuple(alert for alert in self._after(key) if not self._superseders.get(alert.key))

    def _after(self, key: AlertKey) -> Iterator[Alert]:
        seen: set[AlertKey] = set()
        todo = [key]
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            if at in self.alerts:
                yield self.alerts[at]
            todo.extend(alert.key for alert in self._superseders.get(at, ()))

    def live(self, at: datetime, *, max_age: timedelta | None = None) -> tuple[Alert, ...]:
        """The Alerts and Updates in force at an instant, oldest first; status and scope are not looked at.

        Args:
            at: The instant, aware.
            max_age: How long a message that does not say when it expires holds; ``None``: until superseded.
        """
        found = [alert for alert in self.alerts.values() if self._is_live(alert, at, max_age)]
        return tuple(sorted(found, key=lambda alert: alert.key.sent))

    def _is_live(self, alert: Alert, at: datetime, max_age: timedelta | None) -> bool:
        if alert.msg_type not in _WARNING or alert.sent > at:
            return False
        superseded = self.superseded_at(alert.key)
        if superseded is not None and superseded <= at:
            return False
        if alert.expires is not None:
            return at < alert.expires
        return max_age is None or at - alert.sent < max_age


def live(
    alerts: Iterable[Alert],
    at: datetime,
    *,
    delegates: Mapping[str, Collection[str]] | None = None,
    max_age: timedelta | None = None,
) -> tuple[Alert, ...]:
    """The alerts in force at an instant: see :meth:`Chain.live`."""
    return Chain(alerts, delegates=delegates).live(at, max_age=max_age)
