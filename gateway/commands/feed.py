"""``tongda feed``: look at what sources send, and how they are."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from gateway.commands.common import REFUSED
from gateway.commands.feed_status import status
from gateway.commands.files import read_at_most, shown
from gateway.feeds.adapters import KINDS, adapter, recognise
from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import LARGEST, Document
from gateway.feeds.findings import finding
from gateway.feeds.lines import lines
from gateway.feeds.strict_json import JsonRefused, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(no_args_is_help=True, help="Look at what sources send, and how they are.")

CASES = ".jsonl"
"""Files of cases: one JSON object a line, with a name and the document as ``xml`` or ``body``."""


app.command("status")(status)


@app.callback()
def _feed() -> None:
    """Look at what sources send, and how they are."""


def _kind(text: str | None) -> str | None:
    if text is not None and text not in KINDS:
        raise typer.BadParameter(f"unknown kind {text!r}: one of {', '.join(KINDS)}")
    return text


@app.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Documents as a source sent them.")],
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", callback=_kind, help="The format; without it, it is recognised."),
    ] = None,
) -> None:
    """Say what documents of sources hold: one JSON line for each alert and event.

    An alert has file, key, kind, status, msgType, severity, event, sent, expires, areas, polygons, in_force
    and findings; an event has ids, time, place and magnitude. A document has a line of its own where it leads
    to others, where there is something to say of it, or where it is empty. A .jsonl file is a file of cases.
    The exit code is 2 where a file cannot be read or is too large, else 0.
    """
    unread = 0
    for path in files:
        try:
            data = read_at_most(path, LARGEST)
        except OSError as error:
            typer.echo(f"{shown(path)}: cannot be read: {error.strerror or 'unknown reason'}", err=True)
            unread += 1
            continue
        if len(data) > LARGEST:
            typer.echo(f"{shown(path)}: has more than {LARGEST} bytes, which no source may send", err=True)
            unread += 1
            continue
        for record in _records(path, data, kind):
            typer.echo(orjson.dumps(record))
    if unread:
        raise typer.Exit(REFUSED)


def _records(path: Path, data: bytes, kind: str | None) -> Iterator[dict[str, Any]]:
    if path.suffix == CASES:
        yield from _cases(shown(path), data, kind)
    else:
        yield from _document(shown(path), data, kind)


def _document(file: str, data: bytes, kind: str | None) -> Iterator[dict[str, Any]]:
    """Yield the records of one document; one that is refused is a record with the reason."""
    try:
        document = Document(data)
        found = adapter(kind) if kind else recognise(document)
        if found is None:
            raise _unknown(document)
        kind = found.kind
        yield from lines(file, found.read(document))
    except FeedRefused as refused:
        yield _refusal(file, kind, refused)


def _refusal(file: str, kind: str | None, refused: FeedRefused) -> dict[str, Any]:
    return {
        "file": file,
        "kind": kind,
        "links": 0,
        "findings": [finding(refused.code, "", refused.message)],
    }


def _unknown(document: Document) -> FeedRefused:
    if not document.start.strip("\x00"):
        return FeedRefused("feed_truncated", "the document is empty")
    if document.start.startswith("<") and not document.looks_like_xml:
        return FeedRefused("error_page", "the document is a web page")
    if "<!doctype" in document.start:
        return FeedRefused("feed_malformed", "the document has a DOCTYPE, which no feed has; it was not read")
    return FeedRefused("unknown_format", "the format is none that is read here; name it with --kind")


def _cases(file: str, data: bytes, kind: str | None) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            yield from _case(file, number, line, kind)


def _case(file: str, number: int, line: bytes, kind: str | None) -> Iterator[dict[str, Any]]:
    try:
        case = read_json(line)
    except JsonRefused as refused:
        yield _refusal(f"{file}:{number}", kind, FeedRefused(refused.code, refused.message))
        return
    body = _body(case)
    if body is None:
        wrong = FeedRefused("json_malformed", "a case is an object with a name and a text xml or body")
        yield _refusal(f"{file}:{number}", kind, wrong)
        return
    yield from _document(f"{file}:{case.get('name', number)}", body, kind)


def _body(case: Any) -> bytes | None:  # noqa: ANN401 - whatever a line holds
    text = case.get("xml", case.get("body")) if isinstance(case, dict) else None
    return text.encode() if isinstance(text, str) else None
