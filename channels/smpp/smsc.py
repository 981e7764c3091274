"""One connection of the played SMSC."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple, cast

from channels.base import LedgerEntry
from channels.smpp import codec

if TYPE_CHECKING:
    from channels.smpp.simulator import SmppSimulator

_SYSTEM = b"TONGDA-SMSC\0"


class Answer(NamedTuple):
    """What one submit_sm brings: its response, if any, and receipts."""

    response: bytes
    receipts: list[bytes]


class SmscSession(asyncio.Protocol):
    """Answers binds and messages as its simulator's script says."""

    def __init__(self, simulator: SmppSimulator) -> None:
        """Begin unbound."""
        self.bound = False
        self._simulator = simulator
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport
        self._rest = b""
        self._gone = False
        self._sequence = 0
        self._taken = 0
        self._waiting = 0
        self._unacknowledged: dict[int, bytes | tuple[bytes, bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the simulator's list."""
        self._transport = cast("asyncio.Transport", transport)
        self._simulator.sessions.append(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Give receipts that nobody acknowledged back, for the next bind."""
        simulator = self._simulator
        self.bound = False
        self._gone = True
        with contextlib.suppress(ValueError):
            simulator.sessions.remove(self)
        self.closed.set_result(None)
        lost, self._unacknowledged = self._unacknowledged, {}
        simulator.deliver(
            [body if isinstance(body, bytes) else simulator.receipt_body(*body) for body in lost.values()]
        )

    def abort(self) -> None:
        """Cut the connection."""
        self._gone = True
        self._transport.abort()

    def deliver(self, bodies: list[bytes]) -> None:
        """Send deliver_sm PDUs and remember them until they are acknowledged."""
        self._write([self._delivery(body) for body in bodies])

    def data_received(self, data: bytes) -> None:
        """Take a segment and write all its answers in one."""
        data = self._rest + data if self._rest else data
        if self._simulator.hang:
            self._rest = data
            return
        out: list[bytes] = []
        answers: list[Answer] = []
        end = 0
        plain = self.bound and self._simulator.is_plain()
        try:
            if plain:
                end = self._read_plain(data, out)
            else:
                for command, _, sequence, at, end in codec.frames(data):
                    if command == codec.SUBMIT_SM:
                        answers.append(self._submit(data[at:end], sequence))
                    else:
                        self._control(command, sequence, data[at:end], out)
                    if self._gone:
                        break
        except (codec.FramingError, codec.BodyError, ValueError, IndexError):
            self._gone = True
        self._write(out)
        self._rest = data[end:]
        self._answer(answers)
        if self._gone:
            self._transport.close()

    # The short way: nothing is scripted -------------------------------------------------------

    def _read_plain(self, data: bytes, out: list[bytes]) -> int:
        simulator = self._simulator
        take, index, pack = simulator.entries.append, data.index, codec.HEADER.pack
        known_text, usual = simulator.texts.get, simulator.usual_receipt()
        unacknowledged, now, number = self._unacknowledged, time.monotonic(), simulator.last_id
        first, delivery, acknowledged, end = number, self._sequence, 0, 0
        for command, _, sequence, at, end in codec.frames(data):
            if command == codec.SUBMIT_SM:
                start = index(0, index(0, at) + 3) + 3
                stop = index(0, start, end)
                address = data[start:stop]
                known = known_text(data[stop:end]) or simulator.text_of(data[at:end], data[stop:end])
                number += 1
                ref = b"%d" % number
                if known.part is None:
                    take(LedgerEntry(address.decode(), known.words, ref.decode(), now))
                else:
                    simulator.last_id = number
                    simulator.take_part(address, known)
                out.append(pack(17 + len(ref), codec.SUBMIT_SM_RESP, 0, sequence) + ref + b"\0")
                if known.registered:
                    delivery += 1
                    head, middle, tail, last = usual[len(ref)]
                    body = head + address + middle + ref + tail + ref + last
                    out.append(pack(16 + len(body), codec.DELIVER_SM, 0, delivery) + body)
                    unacknowledged[delivery] = (address, ref)
            elif command == codec.DELIVER_SM_RESP:
                acknowledged += unacknowledged.pop(sequence, None) is not None
            else:
                self._control(command, sequence, data[at:end], out)
        simulator.submitted += number - first
        simulator.peak = max(simulator.peak, number - first)
        simulator.reported += delivery - self._sequence
        simulator.acknowledged += acknowledged
        simulator.last_id, self._sequence = number, delivery
        return end

    # The long way: by the script ----------------------------------------------------------------

    def _submit(self, body: bytes, sequence: int) -> Answer:
        simulator = self._simulator
        simulator.submitted += 1
        self._waiting += 1
        simulator.peak = max(simulator.peak, self._waiting)
        status = codec.OK if self.bound else codec.BAD_BIND_STATE
        address = simulator.address_of(body)
        status = status or simulator.refusal(address.decode("latin-1"), self._waiting)
        if status:
            simulator.refused += 1
            return Answer(codec.pdu(codec.SUBMIT_SM_RESP, status, sequence), [])
        number, receipts = simulator.take(body)
        self._taken += 1
        if self._taken == simulator.disconnect_after:
            self._gone = True
            return Answer(b"", receipts)
        if self._taken == simulator.unbind_after:
            self.bound = False
            self._sequence += 1
            self._write([codec.pdu(codec.UNBIND, 0, self._sequence)])
        ref = simulator.written_id(number, simulator.response_ids)
        response = codec.pdu(codec.SUBMIT_SM_RESP, 0, sequence, ref + b"\0")
        return Answer(b"" if simulator.hits(simulator.drop) else response, receipts)

    def _answer(self, answers: list[Answer]) -> None:
        if not answers:
            return
        simulator = self._simulator
        if simulator.latency:
            self._loop.call_later(simulator.latency, self._answer_now, answers)
        else:
            self._answer_now(answers)

    def _answer_now(self, answers: list[Answer]) -> None:
        simulator = self._simulator
        self._waiting -= len(answers)
        responses = [answer.response for answer in answers if answer.response]
        receipts = [body for answer in answers for body in answer.receipts]
        if simulator.receipt_reorder:
            simulator.random.shuffle(receipts)
        if simulator.receipt_early:
            simulator.deliver(receipts)
            self._write(responses)
            return
        self._write(responses)
        if simulator.receipt_delay:
            self._loop.call_later(simulator.receipt_delay, simulator.deliver, receipts)
        elif self.bound and not self._gone:
            self.deliver(receipts)
        else:
            simulator.deliver(receipts)

    def _control(self, command: int, sequence: int, body: bytes, out: list[bytes]) -> None:
        simulator = self._simulator
        if command in codec.BINDS:
            status = simulator.bind_status(body) if not self.bound else codec.ALREADY_BOUND
            out.append(codec.pdu(command | codec.RESPONSE, status, sequence, _SYSTEM))
            if status == codec.OK:
                self.bound = True
                simulator.binds += 1
                self._loop.call_soon(simulator.deliver_backlog)
        elif command == codec.ENQUIRE_LINK:
            if not simulator.silent_enquire:
                out.append(codec.pdu(codec.ENQUIRE_LINK_RESP, 0, sequence))
        elif command == codec.UNBIND:
            self.bound = False
            self._gone = True
            out.append(codec.pdu(codec.UNBIND_RESP, 0, sequence))
        elif command == codec.DELIVER_SM_RESP:
            simulator.acknowledged += self._unacknowledged.pop(sequence, None) is not None
        elif not command & codec.RESPONSE:
            out.append(codec.pdu(codec.GENERIC_NACK, codec.BAD_COMMAND, sequence))

    def _delivery(self, body: bytes) -> bytes:
        self._sequence += 1
        self._unacknowledged[self._sequence] = body
        self._simulator.reported += 1
        return codec.pdu(codec.DELIVER_SM, 0, self._sequence, body)

    def _write(self, out: list[bytes]) -> None:
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))
