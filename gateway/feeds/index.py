"""What Atom and RSS have in common: entries that lead to CAP documents, or carry them.

An entry leads to CAP by a link of CAP's type, else by the first link that may be XML, else by the first one
without a type; never by its id, which is a name and no address. What an index says of an alert in elements
of its own (``cap:event``, ``cap:expires``) is no alert: it lacks who sent it, and what it replaces.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from gateway.alerts.foreign import split_name
from gateway.alerts.node import NAMESPACES
from gateway.alerts.rules.resources import judge_link
from gateway.feeds.cap_item import cap_elements, cut_out, listed_keys, own_bytes
from gateway.feeds.contract import FeedRefused, Link, Reading
from gateway.feeds.noted import Noted
from gateway.feeds.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lxml import etree

    from gateway.feeds.document import Document

CAP_TYPES = frozenset({"application/cap+xml", "application/common-alerting-protocol+xml"})
XML_TYPES = frozenset({"text/xml", "application/xml"})
_OTHER_RELS = frozenset(
    {"hub", "edit", "edit-media", "related", "author", "license", "replies", "via", "self"}
)
"""Relations of links that lead to something else than the entry's own document."""
_NOTHING = re.compile(
    r"\bno (?:current |active )?(?:alerts?|watches|warnings?)\b.{0,40}\b(?:in effect|in force|active)\b"
    r"|\bno (?:current|active) (?:alerts?|watches|warnings?)\b|^no alerts?$"
    r"|\baucune? (?:veille|alerte|avertissement)\b",
    re.IGNORECASE,
)
"""Titles of the entry that stands where there is none: Environment Canada, NWS."""
_MOST = 10_000
"""Entries of an index, and links."""
_LONGEST = 2048
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)")


class Candidate(NamedTuple):
    """A link of an entry, before one is chosen."""

    href: str
    type: str = ""
    """The media type that it is said to have; empty: not said."""
    rel: str = ""


class Entry(NamedTuple):
    """One entry of an index."""

    element: etree._Element
    title: str
    updated: str
    links: list[Candidate]
    path: str


def read_index(
    kind: str,
    document: Document,
    root: etree._Element,
    entries: Iterable[Entry],
    stamp: str,
) -> Reading:
    """Read the entries of an index.

    Args:
        kind: The adapter.
        document: The document, whose address relative links start at.
        root: Its root.
        entries: Its entries.
        stamp: When it was made, as it spells it.

    Raises:
        FeedRefused: It has more entries or alerts than are read.
    """
    reading = Reading(kind, generated=read_stamp(stamp))
    reader = _Reader(document, root, Shelf(reading.items))
    for at, entry in enumerate(entries):
        if at == _MOST:
            raise FeedRefused("feed_too_large", f"the index has more than {_MOST} entries")
        reader.take(entry)
    reading.links = list(reader.links.values())
    reading.findings = reader.noted.all()
    # Of an entry without a link nobody knows which document it is: the list is not whole then.
    if not any(map(reader.noted.count, ("item_refused", "link_missing", "link_refused"))):
        reading.listed = frozenset(reader.links) | listed_keys(reading.items)
    return reading


class _Reader:
    def __init__(self, document: Document, root: etree._Element, shelf: Shelf) -> None:
        self._url = document.url
        self._shelf = shelf
        self._own = own_bytes(root, document.data)
        self.links: dict[str, Link] = {}
        self.noted = Noted()

    def take(self, entry: Entry) -> None:
        alerts = cap_elements(entry.element)
        for alert in alerts:
            self._shelf.put(cut_out(alert, self._own.get(alert), entry.path, self.noted))
        if alerts:
            return
        candidates = chosen(entry.links)
        if not candidates:
            self._note_missing(entry)
        for candidate in candidates:
            self._follow(entry, candidate)

    def _note_missing(self, entry: Entry) -> None:
        if _NOTHING.search(entry.title):
            self.noted.add("not_in_force", entry.path)
        elif describes_alert(entry.element):
            message = "the entry describes an alert and has no link to its CAP document"
            self.noted.add("link_missing", entry.path, message)
        else:
            self.noted.add("link_missing", entry.path)

    def _follow(self, entry: Entry, candidate: Candidate) -> None:
        url, wrong = resolved(candidate.href, self._url, entry.element)
        if wrong:
            self.noted.add("link_refused", entry.path, wrong)
            return
        link = Link(url, entry.title, entry.updated)
        known = self.links.setdefault(url, link)
        if len(self.links) > _MOST:
            raise FeedRefused("feed_too_large", f"the index has more than {_MOST} links")
        if known.updated != link.updated and _stamp_order(link) > _stamp_order(known):
            self.links[url] = link


def _stamp_order(link: Link) -> datetime:
    return read_stamp(link.updated) or datetime.min.replace(tzinfo=UTC)


def chosen(links: list[Candidate]) -> list[Candidate]:
    """Return the links of an entry that lead to CAP: all that say so, else the likeliest one."""
    typed = [link for link in links if link.type in CAP_TYPES]
    if typed:
        return typed
    own = [link for link in links if link.rel not in _OTHER_RELS]
    xml = [link for link in own if link.type in XML_TYPES]
    untyped = [link for link in own if not link.type]
    return (xml or untyped)[:1]


def describes_alert(element: etree._Element) -> bool:
    """Whether an entry has elements of CAP, of any version, outside of an alert."""
    return any(split_name(child.tag)[0] in NAMESPACES for child in element)


def resolved(href: str, base: str, element: etree._Element) -> tuple[str, str]:
    """Return the absolute address of a link, and what is wrong with it (empty: nothing).

    Only what its text shows is judged; the addresses behind a name are judged when it is fetched. An index
    may lead to its own host and port, wherever they are: they were reached already.
    """
    if len(href) > _LONGEST or _ODD.search(href):
        return "", "the link is too long, or has spaces or control characters"
    try:
        url = urljoin(urljoin(base, element.base or ""), href).partition("#")[0]
        return url, _wrong(url, base)
    except ValueError:
        return "", "the link is no address"


def _wrong(url: str, base: str) -> str:
    parts, own = urlsplit(url), urlsplit(base)
    if url == base:
        return "the link leads to the index itself"
    if not parts.scheme:
        return "the link is relative and the address of the index is not known"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "the link is not an http or https address"
    if parts.username is not None or parts.password is not None:
        return "the link has a user name"
    ours = (parts.hostname, parts.port) == (own.hostname, own.port)
    if not ours and (judge_link(url) or _is_odd_number(parts.hostname)):
        return "the link leads to a private or local address"
    return ""


def _is_odd_number(host: str) -> bool:
    """Whether a host is an IPv4 address in an old notation (``127.1``, ``0x7f.0.0.1``), or multicast."""
    name = host.rstrip(".")
    try:
        return ipaddress.ip_address(name).is_multicast
    except ValueError:
        return _NUMBER.fullmatch(name.rpartition(".")[2]) is not None


def read_stamp(text: str) -> datetime | None:
    """Return a time in ISO 8601 or RFC 822; ``None`` where it has no offset or is neither."""
    for read in _STAMPS:
        try:
            stamp = read(text.strip())
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
        if stamp.tzinfo is not None:
            return stamp
    return None


_STAMPS: tuple[Callable[[str], datetime], ...] = (datetime.fromisoformat, parsedate_to_datetime)


def children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """Yield the children of a local name, in whatever namespace."""
    return (child for child in element if split_name(child.tag)[1] == name)


def text_of(element: etree._Element, *names: str) -> str:
    """Return the trimmed text of the first child that has one of the names, in the order of the names."""
    for name in names:
        for child in children(element, name):
            if text := " ".join(str(part) for part in child.itertext()).strip():
                return text
    return ""
