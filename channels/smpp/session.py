"""One SMPP session as a client: binds, writes, reads answers and receipts, keeps the line alive.

Made for throughput: as many PDUs as the window has room for go out in one write, no future
and no task exists per message, and whatever one segment brought is reported in one go.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING, cast

import structlog

from channels.base import Accepted, ChannelDown, Outcome, Reply, Report, Throttled
from channels.smpp import codec
from channels.smpp.address import reply_address
from channels.smpp.receipt import ReceiptReader, is_receipt, normalise, response_form
from channels.smpp.text import decode, take_header
from channels.smpp.window import Window

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from channels.base import Sink
    from channels.smpp.job import Job
    from channels.smpp.settings import SmppSettings

LOST = "connection lost"
GRACE = 2.0
"""Seconds that a closing session waits for open answers, and again for unbind_resp."""

_log = structlog.get_logger("channels.smpp")


class SmppSession(asyncio.Protocol):
    """One connection; ``queue`` is shared by all sessions of a channel."""

    def __init__(
        self,
        settings: SmppSettings,
        sink: Sink,
        queue: deque[Job],
        on_lost: Callable[[SmppSession], None],
        hold_back: Callable[[], None],
    ) -> None:
        """Keep the route; nothing is written before :meth:`bind`."""
        self._loop = loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.window = Window(settings.window)
        self._transport: asyncio.Transport
        self._settings = settings
        self._sink = sink
        self._queue = queue
        self._on_lost = on_lost
        self._hold_back = hold_back
        self._reader = ReceiptReader(settings.id_form, settings.zone_info)
        self._ref_form = response_form(settings.id_form)
        self._rest = b""
        self._out: list[bytes] = []
        self._control: dict[int, tuple[int, asyncio.Future[int]]] = {}
        self._ready = self._paused = self._full = self._reading = False
        self._unacknowledged = 0
        self._drained: asyncio.Future[None] | None = None
        self._heard = self._asked = loop.time()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # Life ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Turn Nagle off: an answer and the next message must not wait for each other's ACK."""
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def bind(self) -> None:
        """Log in; raises :class:`ChannelDown` with the SMSC's reason."""
        route = self._settings
        body = codec.bind_body(route.system_id, route.password.get_secret_value(), route.system_type)
        status = await self._ask(codec.BIND_TRANSCEIVER, body)
        if status is None:
            raise ChannelDown("the SMSC closed the connection instead of answering the bind")
        if status != codec.OK:
            raise ChannelDown(
                f"the SMSC refused the bind with {codec.code_of(status)}: "
                "check system_id, password and system_type"
            )
        if self._transport.is_closing():
            raise ChannelDown("the SMSC took the bind and broke the line in the same moment")
        self._ready = True
        self._tick()
        self.pump()

    async def close(self) -> None:
        """Wait briefly for open answers and acknowledgements, then unbind and hang up."""
        grace = min(GRACE, self._settings.timeout)
        if not self.closed.done() and (self.window or self._unacknowledged):
            self._drained = self._loop.create_future()
            await asyncio.wait([self._drained], timeout=grace)
        self._ready = False
        if not self.closed.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._ask(codec.UNBIND)
            self._transport.close()
            await asyncio.wait([self.closed], timeout=grace)
        self.abort()
        await self.closed

    def abort(self) -> None:
        """Hang up at once, if there is a line; nothing more is offered to it."""
        self._ready = False
        if hasattr(self, "_transport") and not self.closed.done():
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        """Settle what is open and tell the pool."""
        self._ready = False
        for timer in self._timers.values():
            timer.cancel()
        self.window.lose(LOST)
        for _, answer in self._control.values():
            answer.cancel()
        self.closed.set_result(None)
        self._check_drained()
        self._on_lost(self)

    # Writing ---------------------------------------------------------------------------------

    def pump(self) -> None:
        """Write as many messages as the window has room for, in one segment."""
        self._hold_back()
        if self._ready and not self._transport.is_closing() and not self._paused and not self._full:
            self.window.fill(self._queue, self._out, self._loop.time())
        self._flush()

    def pause_writing(self) -> None:
        """Stop offering messages: the peer does not read what it was given."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on: the peer reads again."""
        self._full = False
        self.pump()

    def _flush(self) -> None:
        # While a segment is being read everything waits for its end, to leave in one write.
        if self._out and not self._reading:
            out, self._out = self._out, []
            if not self._transport.is_closing():
                self._transport.write(b"".join(out))

    async def _ask(self, command: int, body: bytes = b"") -> int | None:
        """Send a control PDU and return its answer's status, or None where the line broke."""
        sequence = self.window.next_sequence()
        answer: asyncio.Future[int] = self._loop.create_future()
        self._control[sequence] = command | codec.RESPONSE, answer
        self._out.append(codec.pdu(command, 0, sequence, body))
        self._flush()
        try:
            await asyncio.wait([answer])
            return None if answer.cancelled() else answer.result()
        finally:
            del self._control[sequence]

    # Reading ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take a segment: answers and receipts are told in one go, the window is filled again."""
        self._heard = self._loop.time()
        self._reading = True
        try:
            self._rest = self._read(self._rest + data if self._rest else data)
        except codec.FramingError as error:
            _log.warning("smpp_framing_lost", reason=str(error))
            self.abort()
        finally:
            self._reading = False
        self.pump()
        self._check_drained()

    def _read(self, data: bytes) -> bytes:
        """Handle every whole PDU of the segment and return what is left of it."""
        reports: list[Report] = []
        acknowledge: list[int] = []
        jobs: set[Job] = set()
        job: Job | None = None
        accepted = end = 0
        pop, settle, form = self.window.pending.pop, self.window.settle, self._ref_form
        try:
            for command, status, sequence, at, end in codec.frames(data):
                if command == codec.SUBMIT_SM_RESP and not status:
                    slot = pop(sequence, None)
                    if slot is None:
                        continue
                    ref = data[at:end].partition(b"\0")[0].decode("latin-1")
                    settle(slot, Accepted((normalise(ref, form),)))
                    accepted += 1
                    if slot[0] is not job:
                        job = slot[0]
                        jobs.add(job)
                elif command == codec.DELIVER_SM:
                    report = self._report(data, at, end)
                    if report is None:
                        self._answer(codec.DELIVER_SM, sequence, codec.APP_PERMANENT, b"\0")
                    else:
                        reports.append(report)
                        acknowledge.append(sequence)
                else:
                    refused = self._other(command, status, sequence)
                    if refused is not None:
                        jobs.add(refused)
        finally:
            # What came before a broken length word is as good as ever.
            self._tell(jobs, reports, acknowledge, accepted)
        return data[end:]

    def _tell(self, jobs: set[Job], reports: list[Report], acknowledge: list[int], accepted: int) -> None:
        for job in jobs:
            job.flush()
        if accepted and not self._paused:
            self.window.grow(accepted)
        if reports:
            self._unacknowledged += len(acknowledge)
            self._sink(reports, partial(self._acknowledge, acknowledge))

    def _acknowledge(self, sequences: list[int]) -> None:
        """Answer reports: from here on the SMSC will not send them again."""
        self._unacknowledged -= len(sequences)
        pack = codec.EMPTY_ANSWER.pack
        self._out.extend([pack(17, codec.DELIVER_SM_RESP, 0, sequence) for sequence in sequences])
        self._flush()
        self._check_drained()

    def _answer(self, command: int, sequence: int, status: int = codec.OK, body: bytes = b"") -> None:
        self._out.append(codec.pdu(command | codec.RESPONSE, status, sequence, body))

    def _report(self, data: bytes, at: int, end: int) -> Report | None:
        try:
            message = codec.short_message(data, at, end)
        except codec.BodyError as error:
            _log.warning("smpp_deliver_unreadable", reason=str(error))
            return None
        if is_receipt(
            message.esm_class, message.payload, message.tlvs, by_words=self._settings.unmarked_receipts
        ):
            return self._reader.read(message.payload, message.tlvs, message.source)
        octets = message.payload
        if message.esm_class & codec.ESM_UDHI:
            _, octets = take_header(octets)
        return Reply(reply_address(message.source), decode(octets, message.data_coding))

    def _other(self, command: int, status: int, sequence: int) -> Job | None:
        """Handle a refusal or a control PDU; return the send to which a refusal belongs."""
        if command in {codec.SUBMIT_SM_RESP, codec.GENERIC_NACK} and sequence in self.window.pending:
            slot = self.window.pending.pop(sequence)
            self.window.settle(slot, self._refusal(status))
            return slot[0]
        if command & codec.RESPONSE:
            self._told(command, status, sequence)
        elif command == codec.ENQUIRE_LINK:
            self._answer(command, sequence)
        elif command == codec.UNBIND:
            self._ready = False
            self._answer(command, sequence)
            self._loop.call_soon(self._transport.close)
        else:
            self._out.append(codec.pdu(codec.GENERIC_NACK, codec.BAD_COMMAND, sequence))
        return None

    def _told(self, command: int, status: int, sequence: int) -> None:
        """Take the answer to a control PDU; a nack is a refusal whatever status it bears."""
        wanted, answer = self._control.get(sequence, (0, None))
        if answer is None or answer.done():
            return
        if command == wanted:
            answer.set_result(status)
        elif command == codec.GENERIC_NACK:
            answer.set_result(status or codec.BAD_COMMAND)

    def _refusal(self, status: int) -> Outcome:
        if status not in codec.STATUS:
            _log.warning("smpp_vendor_status", status=codec.code_of(status))
        told = codec.outcome(status)
        if not isinstance(told, Throttled):
            return told
        if not self._paused:
            self._paused = True
            self._timers["resume"] = self._loop.call_later(self.window.shrink(), self._resume)
        return told._replace(after=self.window.pause)

    # Time ------------------------------------------------------------------------------------

    def _resume(self) -> None:
        self._paused = False
        self.pump()

    def _tick(self) -> None:
        """Let old messages run out and test a silent line."""
        route, now = self._settings, self._loop.time()
        if now - self._heard >= route.enquire_interval + route.timeout:
            _log.warning("smpp_peer_silent", seconds=round(now - self._heard))
            self.abort()
            return
        if now - max(self._heard, self._asked) >= route.enquire_interval:
            self._asked = now
            self._out.append(codec.pdu(codec.ENQUIRE_LINK, 0, self.window.next_sequence()))
        step = min(route.timeout, route.enquire_interval, 5.0) / 5
        self._timers["tick"] = self._loop.call_later(step, self._tick)
        self.window.expire(now - route.timeout)
        self.pump()
        self._check_drained()

    def _check_drained(self) -> None:
        idle = self.closed.done() or not (self.window or self._unacknowledged)
        if idle and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
