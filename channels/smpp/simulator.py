"""An SMSC played on a real socket: bind, submit_sm, receipts, and everything that goes wrong.

With nothing scripted each submit_sm is answered at once and its receipt follows in the same
segment, at more than 60,000 messages a second on one core. The script is a set of plain
attributes (:class:`channels.smpp.script.Script`), which may be changed while messages flow.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from channels.base import LedgerEntry, Simulator
from channels.smpp import codec, text
from channels.smpp.script import Script
from channels.smpp.smsc import SmscSession

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_TEXTS = 1000
_ZONE = ZoneInfo("Asia/Shanghai")
STATE_OF_WORD = {
    "ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "DELETED": 4,
    "UNDELIV": 5, "ACCEPTD": 6, "UNKNOWN": 7, "REJECTD": 8,
}  # fmt: skip


class KnownText(NamedTuple):
    """What follows the address in a submit_sm, parsed."""

    registered: bool
    part: tuple[int, int, int] | None
    words: str


class SmppSimulator(Script, Simulator):
    """The SMSC: listener, ledger and counters; each connection is an ``SmscSession``."""

    system_id = "tongda"
    password = "invented"  # noqa: S105 - the simulator's own, on loopback

    def __init__(self) -> None:
        """Begin with an empty ledger."""
        super().__init__()
        self.random = random.Random(self.seed)  # noqa: S311 - faults must repeat
        self.sessions: list[SmscSession] = []
        self.entries: list[LedgerEntry] = []
        self.parts: defaultdict[tuple[bytes, int, int], dict[int, str]] = defaultdict(dict)
        self.backlog: list[bytes] = []
        """Receipts and replies that nobody acknowledged: the next bind gets them again."""
        self.last_id = 0
        self.submitted = 0
        self.refused = 0
        self.reported = 0
        self.acknowledged = 0
        self.doubled_parts = 0
        self.binds = 0
        self.peak = 0
        self.tokens = 0.0
        self.tokens_at = 0.0
        self._server: asyncio.Server | None = None
        self._port = 0
        self.texts: dict[bytes, KnownText] = {}
        self._minute = (0, b"")
        self._usual: tuple[tuple[bytes | str, ...], dict[int, tuple[bytes, bytes, bytes, bytes]]]
        self._usual = ((), {})

    # The contract ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen on a free loopback port; after :meth:`stop`, on the same one again."""
        loop = asyncio.get_running_loop()
        self.random.seed(self.seed)
        self._server = await loop.create_server(lambda: SmscSession(self), "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the listener and cut every connection."""
        if self._server is not None:
            self._server.close()
            self.cut()
            await self._server.wait_closed()
            self._server = None
        while self.sessions:
            await asyncio.wait([session.closed for session in self.sessions])

    def settings(self) -> dict[str, Any]:
        """Return the route to this SMSC."""
        return {
            "host": "127.0.0.1",
            "port": self._port,
            "system_id": self.system_id,
            "password": self.password,
            "source_address": "10639000",
        }

    @property
    def ledger(self) -> Sequence[LedgerEntry]:
        """Return every whole message that was taken."""
        return self.entries

    # What a test or a person at the console does ------------------------------------------------

    def cut(self) -> None:
        """Break every connection at once."""
        for session in list(self.sessions):
            session.abort()

    def reply(self, address: str, words: str) -> None:
        """Let a person write back; waits in the backlog while nobody is bound."""
        coding = text.coding_of(words)
        body = self.deliver_body(address.encode("ascii"), 0, coding.data_coding, text.encode(words, coding))
        self.deliver([body])

    def deliver(self, bodies: list[bytes]) -> None:
        """Hand deliver_sm bodies to a bound session, or keep them for the next."""
        bound = [session for session in self.sessions if session.bound]
        if bound:
            bound[0].deliver(bodies)
        else:
            self.backlog.extend(bodies)

    def deliver_backlog(self) -> None:
        """Hand over what waited for a bind."""
        bodies, self.backlog = self.backlog, []
        self.deliver(bodies)

    def bind_status(self, body: bytes) -> int:
        """Return the answer to a bind with this body."""
        (system_id, password, _), _ = codec.c_strings(body, 0, len(body), 3)
        if system_id != self.system_id.encode():
            return codec.BAD_SYSTEM_ID
        return codec.OK if password == self.password.encode() else codec.BAD_PASSWORD

    def stats(self) -> dict[str, int]:
        """Return the counters."""
        names = ("submitted", "refused", "reported", "acknowledged", "binds", "peak", "doubled_parts")
        return {"ledger": len(self.entries), **{name: getattr(self, name) for name in names}}

    # Taking messages -----------------------------------------------------------------------------

    def refusal(self, address: str, waiting: int) -> int:
        """Return the status that the script has for this message, or 0."""
        if self.reject is not None:
            return self.reject
        if address in self.reject_addresses:
            return self.reject_addresses[address]
        if self.reject_share and self.random.random() < self.reject_share:
            return 0x0B
        if self.window_limit is not None and waiting > self.window_limit:
            return codec.QUEUE_FULL
        if self.throttle_above is not None and not self._has_token(self.throttle_above):
            return codec.THROTTLED
        return codec.OK

    def _has_token(self, rate: float) -> bool:
        now = time.monotonic()
        room = max(rate * self.throttle_burst, min(rate, 1.0))
        self.tokens = min(room, self.tokens + (now - self.tokens_at) * rate)
        self.tokens_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    @staticmethod
    def address_of(body: bytes) -> bytes:
        """Return the destination of a submit_sm body."""
        start = body.index(0, body.index(0) + 3) + 3
        return body[start : body.index(0, start)]

    def take(self, body: bytes) -> tuple[int, list[bytes]]:
        """Write a submit_sm body into the ledger; return its number and its receipts."""
        address = self.address_of(body)
        start = body.index(0, body.index(0) + 3) + 3
        known = self.text_of(body, body[start + len(address) :])
        self.last_id += 1
        if known.part is None:
            self._enter(address, known.words)
        else:
            self.take_part(address, known)
        if self.hits(self.reply_share):
            asyncio.get_running_loop().call_later(
                self.reply_delay, self.reply, address.decode(), self.reply_text
            )
        return self.last_id, self._receipts(address, self.last_id) if known.registered else []

    def text_of(self, body: bytes, rest: bytes) -> KnownText:
        """Return the text of a submit_sm body.

        What follows the address is the same for all recipients of a text, so each ``rest`` is
        parsed once.
        """
        known = self.texts.get(rest)
        if known is None:
            message = codec.short_message(body, 0, len(body))
            part, octets = None, message.payload
            if message.esm_class & codec.ESM_UDHI:
                part, octets = text.take_header(octets)
            if len(self.texts) > _MAX_TEXTS:
                self.texts.clear()
            words = text.decode(octets, message.data_coding)
            self.texts[rest] = known = KnownText(bool(message.registered & 1), part, words)
        return known

    def take_part(self, address: bytes, known: KnownText) -> None:
        """Keep one part, and enter the message when its last part is there."""
        assert known.part is not None
        reference, total, number = known.part
        parts = self.parts[address, reference, total]
        self.doubled_parts += number in parts
        parts[number] = known.words
        if len(parts) == total:
            self._enter(address, "".join(parts[n] for n in sorted(parts)))
            del self.parts[address, reference, total]

    def _enter(self, address: bytes, words: str) -> None:
        ref = str(self.last_id)
        self.entries.append(LedgerEntry(address.decode("latin-1"), words, ref, time.monotonic()))

    # Receipts --------------------------------------------------------------------------------------

    def written_id(self, number: int, form: str) -> bytes:
        """Return a message id as the SMSC writes it."""
        pattern = {"decimal": b"%d", "hex": b"%x", "HEX": b"%X", "padded": b"%012d"}
        return pattern[form] % number

    def _receipts(self, address: bytes, number: int) -> list[bytes]:
        """Return the deliver_sm bodies that the script has for one message: none, one or several."""
        if not self.receipts or self.hits(self.receipt_missing):
            return []
        state = self.random.choices([*self.states], [*self.states.values()])[0]
        bodies = [self.receipt_body(address, self.written_id(number, self.receipt_ids), state)]
        if self.hits(self.receipt_duplicate):
            bodies *= 2
        if self.hits(self.receipt_foreign):
            foreign = self.written_id(number + 900_000_000, self.receipt_ids)
            bodies.append(self.receipt_body(address, foreign, state))
        return bodies

    def hits(self, share: float) -> bool:
        """Draw by lot."""
        return bool(share) and self.random.random() < share

    def receipt_body(self, address: bytes, ref: bytes, state: str = "DELIVRD") -> bytes:
        """Return one receipt as Appendix B writes it, with its TLVs."""
        now, delivered = self._now(), state == "DELIVRD"
        words = b"id:%b sub:001 dlvrd:%03d submit date:%b done date:%b stat:%b err:%03d text:" % (
            ref, delivered, now, now, state.encode(), 0 if delivered else 1,
        )  # fmt: skip
        body = self.deliver_body(address, codec.ESM_RECEIPT, 0, words)
        if not self.receipt_tlvs:
            return body
        number = bytes([STATE_OF_WORD.get(state, 7)])
        return body + codec.tlv(codec.TAG_RECEIPTED_ID, ref + b"\0") + codec.tlv(codec.TAG_STATE, number)

    def usual_receipt(self) -> dict[int, tuple[bytes, bytes, bytes, bytes]]:
        """Return, by the length of the id, the pieces of a receipt: address and ids go in between."""
        now = self._now()
        if self._usual[0] != (now, *self.states):
            pieces = {size: self._pieces(size) for size in range(1, 20)}
            self._usual = ((now, *self.states), pieces)
        return self._usual[1]

    def _pieces(self, size: int) -> tuple[bytes, bytes, bytes, bytes]:
        ref = b"#" * size
        head, _, rest = self.receipt_body(b"@", ref, next(iter(self.states))).partition(b"@")
        middle, tail, last = rest.split(ref)
        return head, middle, tail, last

    def deliver_body(self, address: bytes, esm_class: int, coding: int, payload: bytes) -> bytes:
        """Return a deliver_sm body from a phone to us (section 4.6.1)."""
        return b"\0\1\1%b\0\0\1%b\0%c\0\0\0\0\0\0%c\0%c%b" % (
            address, b"10639000", esm_class, coding, len(payload), payload,
        )  # fmt: skip

    def _now(self) -> bytes:
        minute = int(time.time()) // 60
        if minute != self._minute[0]:
            now = datetime.now(_ZONE).strftime("%y%m%d%H%M")
            self._minute = (minute, now.encode())
        return self._minute[1]


SIMULATOR = SmppSimulator
