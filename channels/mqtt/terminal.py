"""A terminal as it has to behave: what it plays, what it refuses, what it says.

Kept apart from any connection, so that firmware can be compared with it line by line, and from
the gateway's own codec: it reads and signs frames by itself, as the page of facts (README.md)
says, so that an error of ours does not hide on both sides.
Over a power cut a terminal keeps its key, its last counter and the ids it has handled.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter, OrderedDict
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MEMORY: Final = 64
"""Ids of handled commands that a terminal remembers."""


FRAME: Final = 4096
"""Bytes of the longest frame that it has room for."""
_SIGNATURE = re.compile(rb',"sig":"([0-9a-f]{64})"}\Z')


class NotGenuine(ValueError):
    """A frame that this terminal drops; ``args[0]`` says why in one word."""


class Order(BaseModel):
    """A genuine command; members that a terminal does not know are left alone."""

    model_config = ConfigDict(strict=True)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    counter: Annotated[int, Field(ge=1, lt=2**53)]
    text: Annotated[str, Field(min_length=1)]
    level: str
    repeat: Annotated[int, Field(ge=1)]
    volume: Annotated[int, Field(ge=1, le=100)]
    expires: float
    lang: str = "zh-CN"
    drill: bool = False


class Verdict(NamedTuple):
    """What a terminal does with a frame."""

    code: str
    """``play``, ``again`` (a copy of what it has handled), or why it is refused."""
    order: Order | None = None
    """The command, where the frame was genuine."""


class Terminal:
    """One loudspeaker or village radio.

    Attributes:
        address: ``<area12>/<device>``.
        last: counter of the last command that was played.
        refused: how many frames were refused, by reason.
        inbox: frames that its broker keeps while it is off line.
    """

    def __init__(self, address: str, key: bytes) -> None:
        """Come out of the factory: no command seen yet."""
        self.address = address
        self.last = 0
        self.offline = False
        self.refused: Counter[str] = Counter()
        self.inbox: list[bytes] = []
        self._key = key
        self._handled: OrderedDict[str, str] = OrderedDict()

    def receive(self, frame: bytes, now: float) -> Verdict:
        """Judge a frame: signature, then known id, expiry and counter, in this order.

        Only a frame that passes the signature is looked into. A known id is told again, never
        played again. Nothing but a command that is played moves the counter.
        """
        verdict = self._judge(frame, now)
        if verdict.code == "play" and verdict.order is not None:
            self.last = verdict.order.counter
            self._remember(verdict.order.id, "queued")
        elif verdict.code != "again":
            self.refused[verdict.code] += 1
        return verdict

    def _judge(self, frame: bytes, now: float) -> Verdict:
        try:
            order = Order.model_validate(read(self._key, "cmd", self.address, frame))
        except NotGenuine as refused:
            return Verdict(str(refused))
        except ValidationError:
            return Verdict("garbage")
        if order.id in self._handled:
            return Verdict("again", order)
        if order.expires <= now:
            return Verdict("expired", order)
        return Verdict("play" if order.counter > self.last else "counter", order)

    def state(self, ref: str) -> str:
        """Return the last state told of a command."""
        return self._handled[ref]

    def ack(self, ref: str, state: str, now: float, code: str = "") -> bytes:
        """Return the signed frame that tells the state of a command."""
        if ref in self._handled:
            self._handled[ref] = state
        told: dict[str, Any] = {"id": ref, "state": state, "ts": round(now, 3)}
        return sign(self._key, "ack", self.address, told | ({"code": code} if code else {}))

    def status(self, *, online: bool, now: float) -> bytes:
        """Return the signed frame for the ``status`` topic; ``online=False`` is the last will."""
        return sign(self._key, "status", self.address, {"online": online, "ts": round(now, 3)})

    def _remember(self, ref: str, state: str) -> None:
        self._handled[ref] = state
        while len(self._handled) > MEMORY:
            self._handled.popitem(last=False)


def key_of(fleet_key: str, address: str) -> bytes:
    """Return the key that was written into a terminal when it was installed."""
    return hmac.new(fleet_key.encode(), b"ews device key\n" + address.encode(), hashlib.sha256).digest()


def read(key: bytes, purpose: str, address: str, frame: bytes) -> dict[str, Any]:
    """Return the members of a genuine frame; raises :class:`NotGenuine`."""
    if len(frame) > FRAME:
        raise NotGenuine("too-long")
    found = _SIGNATURE.search(frame[-74:])
    if found is None:
        raise NotGenuine("unsigned")
    body = frame[:-74] + b"}"
    if not hmac.compare_digest(found[1], _digits(key, purpose, address, body)):
        raise NotGenuine("forged")
    try:
        members = json.loads(body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise NotGenuine("garbage") from None
    if not isinstance(members, dict):
        raise NotGenuine("garbage")
    return members


def sign(key: bytes, purpose: str, address: str, members: dict[str, Any]) -> bytes:
    """Return the frame that says so much."""
    body = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    return body[:-1] + b',"sig":"' + _digits(key, purpose, address, body) + b'"}'


def _digits(key: bytes, purpose: str, address: str, body: bytes) -> bytes:
    signed = f"{purpose}\n{address}\n".encode() + body
    return hmac.new(key, signed, hashlib.sha256).hexdigest().encode()


def _no_number(name: str) -> float:
    raise ValueError(name)
