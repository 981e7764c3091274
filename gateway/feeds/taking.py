"""From bytes to a reading, and what is said of what could not be read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import structlog
from yarl import URL

from gateway.feeds.adapters import adapter, recognise
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from gateway.feeds.fetch.refused import FetchRefused
from gateway.store.database import REFUSED
from gateway.store.sources import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway.alerts.findings import Finding
    from gateway.feeds.book import Book
    from gateway.feeds.contract import Adapter, Reading
    from gateway.feeds.intake import Intake

log = structlog.get_logger(__name__)

INDEXES = ("atom", "rss")
"""Kinds whose documents lead to the documents of other kinds."""
_LOOK = "save the document and look at it with 'tongda feed check'"
_FIXES = {
    "error_page": "check the address; if it is right, ask the source",
    "feed_truncated": "nothing to do here: it is fetched again",
    "feed_too_large": "choose a smaller feed of the source",
    "link_refused": "add the host to allow_hosts of the source if it may be fetched from",
    "unknown_format": "check the kind and the address of the source",
}
_ASK_ABOUT_LINK = "ask the source: the address stands in its index"
LINK_FIXES = {
    **dict.fromkeys(("url", "missing", "redirects", "not_http", "error_page"), _ASK_ABOUT_LINK),
    **dict.fromkeys(("userinfo", "unknown_format"), _ASK_ABOUT_LINK),
    "scheme": f"{_ASK_ABOUT_LINK}; set allow_http where it has none with TLS",
    "dns": f"check the name server; if it is well, {_ASK_ABOUT_LINK}",
}
"""Code -> the way out where a link of an index is meant, whose address is not in the settings."""
STREAM_FIXES = {
    **dict.fromkeys(
        ("error_page", "feed_malformed", "json_malformed", "unknown_format"),
        "check the kind and the address of the source; if they are right, ask the source",
    ),
    "feed_truncated": "if it goes on, ask the source: a stream sends nothing twice",
    "feed_too_large": "ask the source for shorter messages",
}
"""Code -> the way out where a message of a stream is meant, which is not fetched again."""


def index_adapter(own: Adapter, document: Document) -> Adapter:
    """Return what reads the document at a source's own address: its kind, or an index where it is one.

    Raises:
        FeedRefused: it is of another kind, of which many adapters would find nothing in it and all well.
    """
    if own.recognises(document):
        return own
    indexes = (adapter(kind) for kind in INDEXES if kind != own.kind)
    for index in indexes:
        if index.recognises(document):
            return index
    found = recognise(document)
    if found is not None and own.transport != "tcp":  # what a tcp stream brings is plain CAP
        raise FeedRefused("unknown_format", f"the address has a document of kind {found.kind}")
    return own


def linked_adapter(own: Adapter, document: Document) -> Adapter:
    """Return what reads a document that an index leads to.

    Raises:
        FeedRefused: it has no known format, or one that the settings must allow by name.
    """
    if own.kind not in INDEXES and own.recognises(document):
        return own
    found = recognise(document)
    if found is None:
        if not document.looks_like_xml:
            raise FeedRefused("error_page", "a link leads to something that is no alert")
        return adapter("cap")
    if found.kind in INDEXES or (own.official and not found.official):
        raise FeedRefused("unknown_format", f"a link leads to a document of kind {found.kind}")
    return found


async def read(chosen: Adapter, document: Document) -> Reading:
    """Read a document beside the loop, which must not wait for it.

    Raises:
        FeedRefused: it cannot be read.
    """
    if not document.data.strip():
        raise FeedRefused("feed_truncated", "the answer is empty")
    try:
        return await asyncio.to_thread(chosen.read, document)
    except FeedRefused:
        raise
    except Exception as error:
        log.exception("document breaks its adapter", kind=chosen.kind, error=type(error).__name__)
        raise FeedRefused(
            "feed_malformed", "the program fails over this document; please report it"
        ) from None


class Handed(NamedTuple):
    """What became of a reading that was handed over."""

    total: int
    """Alerts and solutions in it."""
    new: bool
    """Whether something of it was not here before, as far as the intake tells."""
    troubles: list[Trouble]
    """Alerts that the program fails over; the others were taken."""


async def hand_over(
    intake: Intake, book: Book, reading: Reading, *, name: str = "", place: str = ""
) -> Handed:
    """Hand a reading to the intake, each alert by itself; raises what the database raises.

    The lease is asked before each, since a long document may outlive it; raises LeaseLost.

    Args:
        intake: takes it.
        book: of the source.
        reading: what was read.
        name: what the source's complete list calls it.
        place: where it was read, for people.
    """
    new = bool(reading.solutions)
    failed: list[Trouble] = []
    for where, part in _parts(reading):
        book.lease.require()
        try:
            taken = await intake.take_reading(book.name, part, name)
        except Exception as error:
            if not _is_of_no_use(error):
                raise
            log.exception("intake fails over an alert", source=book.name, error=type(error).__name__)
            words = "the program fails over an alert and leaves it out"
            failed.append(Trouble("item_failed", f"{place} {where}".strip(), words, f"report it; {_LOOK}"))
        else:
            new = new or any(not one.repeated for one in taken)
    return Handed(len(reading.items) + len(reading.solutions), new, failed)


def _parts(reading: Reading) -> Iterator[tuple[str, Reading]]:
    for item in reading.items:
        where = f"{item.alert.sender} {item.alert.identifier}"
        yield where, replace(reading, items=[item], solutions=[], links=[], listed=None)
    if reading.solutions or reading.listed is not None:
        yield "", replace(reading, items=[], links=[])


def _is_of_no_use(error: Exception) -> bool:
    """Whether the same values would fail again: a mistake of the program, or what no table can hold."""
    driver = getattr(error, "orig", None)
    return any(isinstance(one, REFUSED) for one in (error, driver, getattr(driver, "__cause__", None)))


def trouble(
    refused: FetchRefused | FeedRefused, place: str, fixes: Mapping[str, str] = MappingProxyType({})
) -> Trouble:
    """Return what is kept of a refusal; ``fixes`` go before the usual ways out."""
    if isinstance(refused, FetchRefused):
        return Trouble(refused.code, place, refused.sentence, fixes.get(refused.code, refused.fix))
    fix = {**_FIXES, **fixes}.get(refused.code, _LOOK)
    return Trouble(refused.code, place, refused.message, fix)


def troubles(
    findings: Iterable[Finding], place: str, fixes: Mapping[str, str] = MappingProxyType({})
) -> list[Trouble]:
    """Return what is kept of the findings of a document: what could not be read of it."""
    usual = {**_FIXES, **fixes}
    return [
        Trouble(one.code, f"{place} {one.path}".strip(), one.message, usual.get(one.code, _LOOK))
        for one in findings
        if one.severity == "error"
    ]


def place_of(url: str) -> str:
    """Return an address as it may be shown: without its query, which may hold a token.

    A port is shown where it is not the usual one of the scheme.
    """
    try:
        parsed = URL(url)
        host = parsed.host or ""  # fails where the punycode is none
        port = "" if parsed.is_default_port() or not parsed.port else f":{parsed.port}"
    except ValueError:
        return "an address that is no URL"
    return f"{f'[{host}]' if ':' in host else host}{port}{parsed.path}"


def host_of(url: str) -> str:
    """Return host and port of a URL of the settings."""
    parsed = URL(url)
    return f"{parsed.host}:{parsed.port}" if parsed.explicit_port else parsed.host or ""


__all__ = [
    "LINK_FIXES",
    "STREAM_FIXES",
    "Document",
    "Handed",
    "hand_over",
    "host_of",
    "index_adapter",
    "linked_adapter",
    "place_of",
    "read",
    "trouble",
    "troubles",
]
