"""The contract between the gateway and its channels.

The gateway freezes what is said (:class:`Content`) when a warning is released,
asks the adapter to encode it once (:meth:`Channel.prepare`) and then hands over
many :class:`Message` rows that differ only in their address.
The adapter answers for each message with one :class:`Outcome`, never with a
bool and never with one exception for many people.
What providers, devices and people tell afterwards comes back as
:data:`Report` values through one sink, which acknowledges them to their sender
only after they are durable.

A folder ``channels/<kind>/`` offers ``ADAPTER``, the :class:`Channel` subclass, from its
``__init__`` and ``SIMULATOR``, the :class:`Simulator` subclass that plays the provider, from
its module ``simulator`` (imported only where a provider is played).
"""

from __future__ import annotations

import enum
import importlib
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

HOLE = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands in :attr:`Content.text` where each message's :attr:`Message.fill` goes (its confirm link)."""

KINDS = ("smpp", "smtp", "wecom", "mqtt")
"""The adapters that ship with Tongda; a folder of that name each."""

_SHORT = 8
"""Addresses no longer than this are masked whole."""
_UNSTORABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXT_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_HALVES = re.compile(r"[\ud800-\udfff]")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Proof(enum.IntEnum):
    """What is known of a delivery. Numbers only rise: a later fact never takes proof away.

    ``UNKNOWN`` stands below ``ACCEPTED`` so that any later word of the provider replaces it,
    and ``REJECTED`` below ``DELIVERED`` because proof of delivery beats any claim of failure.
    """

    PLANNED = 0
    LEASED = 1
    SUBMITTING = 2
    UNKNOWN = 3
    SUPPRESSED = 4
    ACCEPTED = 5
    EXPIRED = 6
    REJECTED = 7
    DELIVERED = 8
    READ = 9
    CONFIRMED = 10


class AddressRefused(ValueError):
    """The address cannot be used on this channel; the text says why, without repeating the address."""


class ContentRefused(ValueError):
    """The content cannot be sent on this channel; the text names the limit and the way out."""


class ChannelDown(Exception):
    """The provider cannot be reached at all. Nothing of the call was handed over."""


class Content(NamedTuple):
    """What one release says on one channel in one language, frozen at approval."""

    release: str
    """Our public reference of the release; stable over retries and restarts."""
    language: str
    subject: str
    """One line, no control characters."""
    text: str
    """Plain text; may hold :data:`HOLE` once."""
    level: str
    """``red``, ``orange``, ``yellow`` or ``blue``."""
    event: str
    """The hazard in words, as in CAP ``event``."""
    sender: str
    """Who issues the warning, in words (CAP ``senderName``)."""
    sent: datetime
    expires: datetime
    drill: bool = False
    """The text carries the drill mark already; adapters use this for flags and headers only."""
    reply_to: str = ""
    """Reference of the first release of the same warning, for threading; empty for the first."""


class Message(NamedTuple):
    """One delivery to hand over."""

    delivery: int
    """The gateway's number of the delivery; outcomes carry it back."""
    address: str
    """As :meth:`Channel.check_address` returned it."""
    fill: str = ""
    """What replaces :data:`HOLE` for this person."""


class Accepted(NamedTuple):
    """The provider took the message. ``refs`` are its references, one for each part."""

    refs: tuple[str, ...]


class Rejected(NamedTuple):
    """The provider or we refused for good; trying again cannot help."""

    code: str


class Retry(NamedTuple):
    """Not taken, and surely not sent; may be tried again after so many seconds."""

    after: float
    code: str


class Throttled(NamedTuple):
    """Not taken because we were too fast; does not count as a try."""

    after: float
    code: str


class Unknown(NamedTuple):
    """Bytes left and no answer came: the provider may or may not have taken it."""

    code: str


Outcome: TypeAlias = Accepted | Rejected | Retry | Throttled | Unknown

HELD = Retry(0.0, "held")
"""Of a message that ``may_leave`` kept back: none of its bytes was written."""


def always() -> bool:
    """Let everything leave: the ``may_leave`` of whoever has no reason to hold anything back."""
    return True


class Receipt(NamedTuple):
    """What a provider, a device or a person told about one message."""

    state: Proof
    ref: str = ""
    """The provider's reference, normalised as in :attr:`Accepted.refs`."""
    delivery: int | None = None
    """Our own number, where the provider or the person gives that back instead of ``ref``."""
    code: str = ""
    at: datetime | None = None
    """When it happened, by the teller's clock, aware; None where not told."""
    raw: str = ""
    """The report as received, for the evidence; addresses masked by the adapter."""


class Reply(NamedTuple):
    """A person wrote back (SMS), so the person is awake: the gateway judges what it means."""

    address: str
    text: str
    at: datetime | None = None


class DeviceState(NamedTuple):
    """A terminal told that it is on line, or its broker that it is gone (last will)."""

    device: str
    online: bool
    at: datetime | None = None


Report: TypeAlias = Receipt | Reply | DeviceState

if TYPE_CHECKING:
    Reporter: TypeAlias = Callable[[Sequence[tuple[int, Outcome]]], None]
    """Takes (delivery, outcome) pairs as they become known; never blocks, never raises."""
    Sink: TypeAlias = Callable[[Sequence[Report], Callable[[], None]], None]
    """Takes reports and a callback that the gateway calls, on the same loop, once they are durable."""


class Capabilities(NamedTuple):
    """One row of the capability table that docs and contract tests share."""

    addresses: str
    """What an address is, in words."""
    highest: Proof
    """The strongest proof that this channel can ever give."""
    receipts: bool
    """Whether proof beyond ``accepted`` comes back."""
    links: bool
    """Whether a confirm link in the text can be opened by the person."""
    retry_safe: bool
    """Whether the provider drops a second copy that bears the same reference."""
    text_limit: int
    """Longest text in the unit of ``text_unit``; 0 where there is none."""
    text_unit: str
    limits_by_address: bool = False
    """Whether "too fast" concerns one address (a robot's own limit) and leaves the others free."""


class RouteSettings(BaseModel):
    """Settings that every route (live or drill credentials of a channel) has; adapters add theirs."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    rate: float = 100.0
    """The provider's contract: message parts a second, over all workers together."""
    window: int = 10
    """Messages handed over and not yet answered, on one connection."""
    timeout: float = 30.0
    """Seconds without an answer after which the outcome is unknown."""


class Prepared(ABC):
    """One content encoded for one channel; cheap to keep, holds no connection."""

    parts: int = 1
    """What one message counts for in the provider's rate."""

    @abstractmethod
    def preview(self, fill: str = "") -> str:
        """Return exactly what a person will read, for the approver's page."""


class Listener(ABC):
    """Takes reports that come by another way than the sending session (DSN mail, broker topics)."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to take reports; raises :class:`ChannelDown` with the setting to mend."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop taking reports; what was not acknowledged will be sent again by its sender."""


class Channel(ABC):
    """One provider session for the life of a worker process; lives on one event loop."""

    kind: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Settings: ClassVar[type[RouteSettings]]

    def __init__(self, settings: Any, sink: Sink) -> None:  # noqa: ANN401 - each adapter narrows it
        """Keep settings and sink; no I/O happens before :meth:`open`."""
        self.settings = settings
        self.sink = sink

    @staticmethod
    @abstractmethod
    def check_address(address: str) -> str:
        """Return the address in the one form we store and send; raise :class:`AddressRefused`."""

    @abstractmethod
    def prepare(self, content: Content) -> Prepared:
        """Encode once what all messages share; pure; raises :class:`ContentRefused`."""

    @abstractmethod
    async def open(self) -> None:
        """Connect. Raises :class:`ChannelDown`; afterwards the adapter reconnects by itself."""

    @abstractmethod
    async def close(self) -> None:
        """End the session politely: no message is taken any more, open answers are awaited briefly."""

    @abstractmethod
    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        """Hand over the messages and return when each has been reported exactly once.

        Several calls may be under way at once and share the window.
        A lost connection gives ``Retry`` for what never left and ``Unknown`` for what did.
        On cancellation, messages not yet written are left unreported.

        ``may_leave`` is asked just before a message is written, with nothing awaited in between: a
        worker that was frozen, or whose warning was cancelled or has expired meanwhile, must not send
        what still waits for room. Where it says no, the message and what waits behind it is :data:`HELD`.
        """

    @classmethod
    def listener(cls, settings: Any, sink: Sink) -> Listener | None:  # noqa: ANN401, ARG003
        """Return what must run once per gateway to take this route's reports, if anything."""
        return None


class Simulator(ABC):
    """A provider played on a real socket, with a ledger of what it truly received.

    Subclasses document their scripting attributes (latency, reject, throttle, drop the
    answer, duplicate / reorder / delay receipts, hang, disconnect).
    """

    @abstractmethod
    async def start(self) -> None:
        """Listen on a free loopback port."""

    @abstractmethod
    async def stop(self) -> None:
        """Close every socket."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the route settings that make an adapter talk to this simulator."""

    @property
    @abstractmethod
    def ledger(self) -> Sequence[LedgerEntry]:
        """Everything that was received and taken, in order: the truth for the checker."""


class LedgerEntry(NamedTuple):
    """One message as the provider or the terminal received it, whole (parts put together)."""

    address: str
    text: str
    ref: str
    """The reference the simulator gave (the last part's, where there are several)."""
    at: float
    """``time.monotonic()`` of the simulator's process."""


def refuse_controls(address: str) -> str:
    """Return the address unless it holds a control character (CR, LF and NUL rewrite mail commands)."""
    if _UNSAFE.search(address):
        raise AddressRefused("the address holds a control character")
    return address


def refuse_text(text: str) -> str:
    """Return a text that people can read as it stands; raise :class:`ContentRefused` for any other."""
    if not text.strip():
        raise ContentRefused("the text is empty: write what people shall do")
    if text.count(HOLE) > 1:
        raise ContentRefused("the text has more than one place for the confirm link: keep one")
    if _TEXT_CONTROLS.search(text):
        raise ContentRefused("the text holds a control character: remove it, or write a new line")
    if _HALVES.search(text):
        raise ContentRefused("the text holds half of a character: type it again")
    return text


def unfit_fill(fill: str) -> str:
    """Return why no message can carry this fill; empty where one can."""
    return "fill" if _UNSTORABLE.search(fill) else ""


def plain_text(text: str) -> str:
    """Return a stranger's text with a space for what no database or log can hold, NUL above all."""
    return text if text.isprintable() else _UNSTORABLE.sub(" ", text)


def mask(address: str) -> str:
    """Return the address so that logs and evidence do not give the person away: ``138****0001``."""
    if "@" in address:
        name, _, host = address.partition("@")
        return f"{name[:1]}***@{host}"
    if len(address) <= _SHORT:
        return "****"
    return f"{address[: min(len(address) - _SHORT, 5)]}****{address[-4:]}"


def adapter(kind: str) -> type[Channel]:
    """Return the adapter class of a channel kind, importing its folder only when it is used."""
    return _load(kind).ADAPTER  # type: ignore[no-any-return]


def simulator(kind: str) -> type[Simulator]:
    """Return the simulator class of a channel kind."""
    return _load(kind, ".simulator").SIMULATOR  # type: ignore[no-any-return]


def _load(kind: str, module: str = "") -> Any:  # noqa: ANN401
    if kind not in KINDS:
        raise ValueError(f"unknown channel kind {kind!r}: one of {', '.join(KINDS)}")
    return importlib.import_module(f"channels.{kind}{module}")
