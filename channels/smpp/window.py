"""What one session has written and not yet had answered, and how much more it may write.

A message is its sequence number in ``pending`` from the moment it is written until its answer
comes, its time runs out or the line breaks. There is no object for it but one tuple.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from channels.base import HELD, Outcome, Unknown
from channels.smpp import codec

if TYPE_CHECKING:
    from channels.smpp.job import Job, Whole

    Slot: TypeAlias = tuple[Job, int, Whole | None, int]
    """The send, the delivery, and for a message of several parts: the message and which part."""

SEQUENCES = 0x7FFFFFFF
"""Sequence numbers run from 1 to this and start again (section 3.2)."""
MIN_PAUSE, MAX_PAUSE = 0.25, 5.0
"""Seconds without a write after a throttle: the first, and the longest when they follow each other."""


class Window:
    """The open messages of one connection."""

    def __init__(self, size: int) -> None:
        """Begin empty; ``size`` is the most PDUs that may be open at a time."""
        self.sequence = 0
        self.pending: dict[int, Slot] = {}
        self.pause = 0.0
        self._size = size
        self._limit = float(size)
        self._again: deque[tuple[Whole, int]] = deque()
        self._marks: deque[tuple[float, int]] = deque()

    def __bool__(self) -> bool:
        """Tell whether anything is open."""
        return bool(self.pending or self._again)

    def next_sequence(self) -> int:
        """Return the number of the next PDU."""
        self.sequence = self.sequence % SEQUENCES + 1
        return self.sequence

    # Filling ---------------------------------------------------------------------------------

    def fill(self, queue: deque[Job], out: list[bytes], now: float) -> None:
        """Write into ``out`` as many PDUs as there is room for; begun messages go first."""
        self._hold_back()
        room = int(self._limit) - len(self.pending)
        if room <= 0 or not (queue or self._again):
            return
        while room > 0:
            if self._again:
                whole, part = self._again.popleft()
                self._put(whole.bodies[part], (whole.job, whole.delivery, whole, part), out)
                room -= 1
            elif queue:
                room -= self._take(queue, room, out)
            else:
                break
        self._marks.append((now, self.sequence))

    def _hold_back(self) -> None:
        """Give up the parts that may not leave any more; what was taken of their messages stays in doubt."""
        while self._again and not self._again[0][0].job.may_leave():
            whole, part = self._again.popleft()
            self.settle((whole.job, whole.delivery, whole, part), HELD)
            whole.job.flush()

    def _take(self, queue: deque[Job], room: int, out: list[bytes]) -> int:
        job = queue[0]
        written = self._render_next(job, out) if job.frame is None else self._copy(job, room, out)
        if job.at >= len(job.messages):
            queue.popleft()
        return written

    def _copy(self, job: Job, room: int, out: list[bytes]) -> int:
        """Write the next messages of a text that is the same for all; this is the hot path."""
        assert job.frame is not None
        prefix, suffix = job.frame
        size = codec.HEADER_SIZE + len(prefix) + len(suffix)
        pack, put, pending, sequence = codec.HEADER.pack, out.append, self.pending, self.sequence
        messages = job.messages[job.at : job.at + room]
        for delivery, address, _ in messages:
            sequence = sequence % SEQUENCES + 1
            number = address.encode()
            put(pack(size + len(number), codec.SUBMIT_SM, 0, sequence) + prefix + number + suffix)
            pending[sequence] = (job, delivery, None, 0)
        self.sequence = sequence
        job.at += len(messages)
        return len(messages)

    def _render_next(self, job: Job, out: list[bytes]) -> int:
        """Write the next message if it is one PDU, else put its parts before all other work."""
        message = job.messages[job.at]
        job.at += 1
        made = job.render(message)
        if not isinstance(made, list):
            job.results.append((message.delivery, made))
            job.flush()
            return 0
        if len(made) == 1:
            self._put(made[0], (job, message.delivery, None, 0), out)
            return 1
        whole = job.whole(message.delivery, made)
        self._again.extend((whole, part) for part in range(len(made)))
        return 0

    def _put(self, body: bytes, slot: Slot, out: list[bytes]) -> None:
        sequence = self.next_sequence()
        self.pending[sequence] = slot
        out.append(codec.pdu(codec.SUBMIT_SM, 0, sequence, body))

    # Emptying --------------------------------------------------------------------------------

    def settle(self, slot: Slot, outcome: Outcome) -> None:
        """Give a message or one of its parts its outcome; the job reports it at its next flush."""
        job, delivery, whole, part = slot
        if whole is None:
            job.results.append((delivery, outcome))
        else:
            self._again.extend((whole, again) for again in whole.settle(part, outcome))

    def expire(self, before: float) -> None:
        """Report as unknown what was written before that time: oldest first, without a full scan."""
        last = None
        while self._marks and self._marks[0][0] <= before:
            last = self._marks.popleft()[1]
        jobs = set()
        while last is not None and self.pending:
            sequence = next(iter(self.pending))
            # Sequence numbers start again at 1 some day, so the order is that of a circle.
            if (last - sequence) % SEQUENCES >= SEQUENCES // 2:
                break
            slot = self.pending.pop(sequence)
            self.settle(slot, Unknown("timeout"))
            jobs.add(slot[0])
        for job in jobs:
            job.flush()

    def lose(self, code: str) -> None:
        """Report everything as unknown: the line broke, and the SMSC may have taken it."""
        slots = [(job, delivery) for job, delivery, whole, _ in self.pending.values() if whole is None]
        wholes = {whole for _, _, whole, _ in self.pending.values() if whole is not None}
        wholes.update(whole for whole, _ in self._again)
        slots.extend((whole.job, whole.delivery) for whole in wholes)
        self.pending.clear()
        self._again.clear()
        for job, delivery in slots:
            job.results.append((delivery, Unknown(code)))
        for job in {job for job, _ in slots}:
            job.flush()

    # Pace ------------------------------------------------------------------------------------

    def shrink(self) -> float:
        """Halve the room after a throttle, and return for how long to write nothing."""
        self.pause = min(max(2 * self.pause, MIN_PAUSE), MAX_PAUSE)
        self._limit = max(1.0, self._limit / 2)
        return self.pause

    def grow(self, accepted: int) -> None:
        """Widen again by one PDU for each window that was accepted."""
        self.pause = 0.0
        self._limit = min(self._size, self._limit + accepted / self._limit)
