"""What one call of send() still has to hand over and to report."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from channels.base import Accepted, Outcome, Rejected, Retry, Throttled, Unknown, always

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from channels.base import Message, Reporter

PART_TRIES = 5
"""How often the missing parts of a half-taken message are offered again."""


class Frame(NamedTuple):
    """One submit_sm body without its address, for messages that differ in nothing else."""

    prefix: bytes
    suffix: bytes


class Job:
    """One send() under way: the pool writes from its front, the sessions settle it."""

    __slots__ = ("at", "done", "frame", "left", "may_leave", "messages", "render", "report", "results")

    def __init__(
        self,
        messages: Sequence[Message],
        report: Reporter,
        frame: Frame | None,
        render: Callable[[Message], list[bytes] | Outcome],
        may_leave: Callable[[], bool] = always,
    ) -> None:
        """Keep the work; with a ``frame`` each message is one PDU, else ``render`` makes its bodies."""
        self.may_leave = may_leave
        self.messages = messages
        self.report = report
        self.frame = frame
        self.render = render
        self.at = 0
        self.left = len(messages)
        self.results: list[tuple[int, Outcome]] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def whole(self, delivery: int, bodies: list[bytes]) -> Whole:
        """Return a message of several parts, of which none is written."""
        return Whole(self, delivery, bodies)

    def flush(self) -> None:
        """Report what has been settled since the last flush."""
        results, self.results = self.results, []
        if not results:
            return
        self.left -= len(results)
        self.report(results)
        if self.left == 0 and not self.done.done():
            self.done.set_result(None)

    def refuse_rest(self, outcome: Outcome) -> None:
        """Settle with this outcome whatever has not been written."""
        rest = self.messages[self.at :]
        self.at = len(self.messages)
        self.results.extend((message.delivery, outcome) for message in rest)
        self.flush()


class Whole:
    """A message of several parts; it is settled when each part has its answer."""

    __slots__ = ("bodies", "delivery", "job", "open", "outcomes", "tries")

    def __init__(self, job: Job, delivery: int, bodies: list[bytes]) -> None:
        """Start with no part answered."""
        self.job = job
        self.delivery = delivery
        self.bodies = bodies
        self.open = len(bodies)
        self.outcomes: list[Outcome | None] = [None] * len(bodies)
        self.tries = 1

    def settle(self, part: int, outcome: Outcome) -> list[int]:
        """Keep one part's answer and return the parts that must be written again.

        Only what the provider surely did not take is ever offered again, and only where it
        has taken another part: a message of which nothing was taken is the gateway's to retry.
        """
        self.outcomes[part] = outcome
        self.open -= 1
        if self.open:
            return []
        missing = [n for n, told in enumerate(self.outcomes) if not isinstance(told, Accepted)]
        begun = len(missing) < len(self.bodies)
        passing = all(isinstance(self.outcomes[n], (Retry, Throttled)) for n in missing)
        if missing and begun and passing and self.tries < PART_TRIES:
            self.tries += 1
            self.open = len(missing)
            return missing
        self.job.results.append((self.delivery, self._verdict(missing, begun=begun)))
        return []

    def _verdict(self, missing: list[int], *, begun: bool) -> Outcome:
        told = [outcome for outcome in self.outcomes if outcome is not None]
        if not missing:
            return Accepted(tuple(o.refs[0] for o in told if isinstance(o, Accepted)))
        for kind in (Unknown, Rejected):
            for outcome in told:
                if isinstance(outcome, kind):
                    return outcome
        # A whole try more would send the taken parts twice, so the gateway must not call it untaken.
        worst = max((o for o in told if isinstance(o, (Retry, Throttled))), key=lambda o: o.after)
        return Unknown(f"in part: {worst.code}") if begun else worst
