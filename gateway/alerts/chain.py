"""Chains: which alerts of a set are live, given the Updates and Cancels among them.

An alert is superseded by an Update or Cancel that names it, from the instant that one was sent, in whatever
order the two arrive. It never comes back: not when the superseding message expires, nor when that is itself
superseded. A message counts only against alerts of its own sender, or of senders that name it as their
delegate; only against alerts of the same status, so that no test cancels a real warning; and only against
alerts that were not sent after it. Where Updates name each other, nobody can tell which one replaces which:
none of them does.

Messages of one key with different contents are all held, whichever came first: none of them is in force and
none supersedes, until somebody has looked. Nothing here depends on the order of the messages.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.model import AlertKey, MsgType, Status

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
        alerts: Key -> message, without those that are held.
        held: Key -> its messages, which differ: somebody must look.
        reused: Keys that share sender and identifier but not ``sent``, against CAP 1.2, 3.2.1: somebody must
            look. The messages are in force meanwhile, each for itself.
        refused: Claims of senders that may not supersede the target, of another status, on later messages,
            and of Updates that name each other.
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
        contents = _by_key(alerts)
        self.alerts = {key: same[0] for key, same in contents.items() if len(same) == 1}
        self.held = {key: same for key, same in contents.items() if len(same) > 1}
        self.reused: list[tuple[AlertKey, ...]] = []
        self.refused: list[Claim] = []
        self.unknown: list[Claim] = []
        self._delegates = delegates or {}
        self._superseders: dict[AlertKey, list[Alert]] = defaultdict(list)
        self._superseded: dict[AlertKey, list[AlertKey]] = defaultdict(list)
        self._link(contents)

    def _link(self, contents: Mapping[AlertKey, tuple[Alert, ...]]) -> None:
        by_identifier: dict[tuple[str, str], list[AlertKey]] = defaultdict(list)
        for key in sorted(contents):
            by_identifier[key.sender, key.identifier].append(key)
        self.reused = [tuple(keys) for keys in by_identifier.values() if len(keys) > 1]
        superseding = (alert for _, alert in sorted(self.alerts.items()) if alert.msg_type in _SUPERSEDING)
        claims = [claim for alert in superseding for claim in _claims(alert, by_identifier)]
        sound = {claim for claim in claims if self._is_sound(claim, contents.get(claim.target, ()))}
        sound -= _circular({claim for claim in sound if self._is_of_updates(claim)})
        for claim in claims:
            if claim in sound and claim.target.sent <= claim.by.sent:
                self._accept(claim, claim.target in contents)
            else:
                self.refused.append(claim)

    def _is_sound(self, claim: Claim, targets: tuple[Alert, ...]) -> bool:
        sender, owner = claim.by.sender, claim.target.sender
        if sender != owner and sender not in self._delegates.get(owner, ()):
            return False
        return all(target.status == self.alerts[claim.by].status for target in targets)

    def _is_of_updates(self, claim: Claim) -> bool:
        both = [self.alerts.get(key) for key in claim]
        return all(alert is not None and alert.msg_type == MsgType.UPDATE for alert in both)

    def _accept(self, claim: Claim, known: bool) -> None:
        by = self.alerts[claim.by]
        if not known:
            self.unknown.append(claim)
        # Of a message that has not come nobody knows the status: it may be a real warning.
        if known or by.status == Status.ACTUAL:
            self._superseders[claim.target].append(by)
            self._superseded[claim.by].append(claim.target)

    def superseded_at(self, key: AlertKey) -> datetime | None:
        """The instant from which the alert, known or not, is superseded; ``None`` where it is not."""
        return min((alert.sent for alert in self._superseders.get(key, ())), default=None)

    def superseders(self, key: AlertKey) -> tuple[Alert, ...]:
        """The Updates and Cancels that directly supersede the alert, oldest first."""
        return tuple(sorted(self._superseders.get(key, ()), key=lambda alert: alert.sent))

    def superseded(self, key: AlertKey) -> tuple[AlertKey, ...]:
        """The keys of the messages, known or not, that this one directly supersedes."""
        return tuple(self._superseded.get(key, ()))

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


def _by_key(alerts: Iterable[Alert]) -> dict[AlertKey, tuple[Alert, ...]]:
    found: dict[AlertKey, dict[Alert, None]] = defaultdict(dict)
    for alert in alerts:
        found[alert.key].setdefault(alert)
    return {key: tuple(same) for key, same in found.items()}


def _claims(alert: Alert, by_identifier: Mapping[tuple[str, str], list[AlertKey]]) -> list[Claim]:
    loose = [
        key for name in alert.malformed_references for key in by_identifier.get((alert.sender, name), ())
    ]
    targets = {*(reference.key for reference in alert.references), *loose} - {alert.key}
    return [Claim(alert.key, target) for target in sorted(targets)]


def _circular(claims: set[Claim]) -> set[Claim]:
    """The claims of messages that name each other, directly or, within one second, by way of others."""
    mutual = {claim for claim in claims if Claim(claim.target, claim.by) in claims}
    return mutual | _circles_in_one_second(claims)


def _circles_in_one_second(claims: set[Claim]) -> set[Claim]:
    graph: dict[AlertKey, set[AlertKey]] = defaultdict(set)
    for by, target in claims:
        if by.sent == target.sent:
            graph[by].add(target)
    sorter = TopologicalSorter(graph)
    with suppress(CycleError):
        sorter.prepare()
    # What the sorter never gives out stands in a circle or names one.
    free: set[AlertKey] = set()
    while ready := sorter.get_ready():
        free.update(ready)
        sorter.done(*ready)
    return {Claim(by, target) for by in graph.keys() - free for target in graph[by] - free}


def live(
    alerts: Iterable[Alert],
    at: datetime,
    *,
    delegates: Mapping[str, Collection[str]] | None = None,
    max_age: timedelta | None = None,
) -> tuple[Alert, ...]:
    """The alerts in force at an instant: see :meth:`Chain.live`."""
    return Chain(alerts, delegates=delegates).live(at, max_age=max_age)
