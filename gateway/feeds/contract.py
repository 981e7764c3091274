"""The contract of an adapter: a document in, a :class:`Reading` out. Pure: no I/O, no clock.

An adapter knows one family of formats. It raises :class:`FeedRefused` where the document as a whole is not
what its source sends (an error page, half a file, another format): the poll has then failed, which never
means that there are no warnings. One bad entry among good ones is a finding, and the good ones come out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.alerts.findings import Finding
    from gateway.alerts.model import Alert, Reference, Status
    from gateway.feeds.document import Document

Review: TypeAlias = Literal["automatic", "reviewed", "unknown"]
Transport: TypeAlias = Literal["poll", "websocket", "tcp"]


class FeedRefused(ValueError):
    """The document as a whole cannot be read; ``code`` is a key of gateway.feeds.findings.CODES."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code and one sentence for people, without the text of the document."""
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One alert that a document holds, normalised to CAP 1.2.

    Attributes:
        alert: The message; what CAP has no place for is kept in parameters named ``<kind>:<name>``.
        original: The bytes it was read from: the document, or the entry cut out of it.
        is_cap: Whether ``original`` is a CAP document, which can be verified and relayed as it is.
        event_key: The source's own name of the event, where its messages are tied together by it rather
            than by references: a later message of the same key replaces the earlier ones. Empty: none.
        agreeing: Names of independent sources that are known to say the same.
        in_force: False where the message says that no warning is in force (green, "Nil").
        findings: What was unusual.
    """

    alert: Alert
    original: bytes
    is_cap: bool = False
    event_key: str = ""
    agreeing: tuple[str, ...] = ()
    in_force: bool = True
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """One agency's solution of a seismic event, as of one document.

    Attributes:
        agency: Who computed it, in small letters: ``us``, ``emsc``, ``cenc``, ``ingv``.
        ids: All names that the source gives the event; the preferred one first.
        time: Origin time, UTC; ``None`` where the document only withdraws.
        lat: Degrees north, WGS-84.
        lon: Degrees east, WGS-84, -180 to 180.
        depth_km: Below sea level, positive downwards; ``None`` where not known.
        magnitude: ``None`` where not known.
        magnitude_type: As the source spells it, e.g. ``mww``.
        place: The place in words.
        review: Whether a person has looked.
        withdrawn: The source says that there was no such event.
        event_type: ``earthquake``, or what it was instead, e.g. ``quarry blast``.
        status: Test and Exercise where the source marks them so.
        version: The source's own number or time of this version; ``""`` where it has none. Versions of one
            source compare as text only where ``updated`` is missing.
        updated: When the source made this version, UTC.
        original: The bytes it was read from.
        findings: What was unusual.
    """

    agency: str
    ids: tuple[str, ...]
    original: bytes
    time: datetime | None = None
    lat: float | None = None
    lon: float | None = None
    depth_km: float | None = None
    magnitude: float | None = None
    magnitude_type: str = ""
    place: str = ""
    review: Review = "unknown"
    withdrawn: bool = False
    event_type: str = "earthquake"
    status: Status
    version: str = ""
    updated: datetime | None = None
    findings: tuple[Finding, ...] = ()


class Link(NamedTuple):
    """A document that an index leads to."""

    url: str
    """Absolute; resolved against the index's own address."""
    title: str = ""
    updated: str = ""
    """As the index spells it; a link whose ``updated`` has not changed need not be fetched again."""


@dataclass(slots=True)
class Reading:
    """What one document holds.

    Attributes:
        kind: The adapter.
        items: Alerts, in the order of the document.
        solutions: Solutions of seismic events.
        links: Documents to fetch next.
        findings: What was unusual about the document, and entries that could not be read (with their path).
        heartbeat: The document is a sign of life; it lists the messages that went before.
        recent: What a heartbeat lists.
        listed: Where the document is the complete set in force: the key texts or ids of all that it lists.
            ``None``: absence means nothing.
        generated: The source's own stamp of the document, which must move.
    """

    kind: str
    items: list[Item] = field(default_factory=list)
    solutions: list[Solution] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    heartbeat: bool = False
    recent: tuple[Reference, ...] = ()
    listed: frozenset[str] | None = None
    generated: datetime | None = None


class Frames(Protocol):
    """Cuts a stream without framing into documents."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived and return the documents that are whole; raises FeedRefused on endless ones."""


class Adapter(NamedTuple):
    """One family of formats; each module of :mod:`gateway.feeds.adapters` has one as ``ADAPTER``."""

    kind: str
    recognises: Callable[[Document], bool]
    """Whether a document is of this family; looks at its outside only and never raises."""
    read: Callable[[Document], Reading]
    """Raises FeedRefused."""
    transport: Transport = "poll"
    official: bool = True
    """False: republished or undocumented; never without a person's approval."""
    frames: Callable[[], Frames] | None = None
    """For ``tcp``."""
    archive_names: Callable[[Reference], list[str]] | None = None
    """Names under which the archive of a stream may hold a message that was missed, best first."""
    deleted: Callable[[str, bytes, datetime], Solution] | None = None
    """The withdrawal that answer 409 to a query for one event means: of its id, the answer and its time."""
    ping: str = ""
    """What a websocket of this kind is sent every 15 s; empty: the protocol's own ping."""
