"""The report as CSV, for a spreadsheet: one tidy table, cells that no spreadsheet runs."""

from __future__ import annotations

import csv
from datetime import UTC
from io import StringIO
from typing import TYPE_CHECKING

from gateway.coverage.words import Words, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from gateway.coverage.model import Coverage, Tally

_COUNTS = ("intended", "accepted", "delivered", "confirmed", "unknown", "failed", "pending")
_RELEASE = ("reference", "title", "kind", "measured_at")
_FORMULA = (*"=+-@＝＋－＠", "\t", "\r", "\n")  # the full-width ones compute in Chinese Excel
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def render_csv(coverage: Coverage, language: str = "zh", zone: tzinfo = UTC) -> str:
    """Return the report as CSV with a byte order mark, without which Excel reads Chinese as noise.

    Columns: reference, headline, kind and time of the measurement (on every row, so that a drill's rows
    stay a drill's wherever they are pasted), section, code, name, the seven counts, the percentage.
    People in every section but the channels', which counts deliveries.
    """
    words = Words(language)
    file = StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([words[name] for name in (*_RELEASE, "section", "code", "name", *_COUNTS, "percent")])
    release = _release(coverage, words, zone)
    for section, code, name, tally in _rows(coverage, words):
        counts = [str(getattr(tally, count)) for count in _COUNTS]
        rate = "" if tally.rate is None else f"{int(tally.rate * 10_000 + 1e-9) / 100:.2f}"
        writer.writerow([inert(cell) for cell in (*release, section, code, name, *counts, rate)])
    return _BOM + file.getvalue()


def inert(cell: str) -> str:
    """Return the cell so that a spreadsheet shows it and does not compute it."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _release(coverage: Coverage, words: Words, zone: tzinfo) -> list[str]:
    release = coverage.release
    kind = f"{words[release.mode]} {words[release.msg_type]} {words[release.level]}"
    return [release.reference, release.headline(words.language), kind, moment(release.measured_at, zone)]


def _rows(coverage: Coverage, words: Words) -> Iterator[tuple[str, str, str, Tally]]:
    yield words["whole"], "", words["people"], coverage.people
    for township in coverage.townships:
        yield words["townships"], township.code, township.name, township
    for role in coverage.roles:
        yield words["roles"], role.name, words.role(role.name), role
    for group in coverage.groups:
        yield words["groups"], "", group.name, group
    for channel in coverage.channels:
        yield words["channels"], channel.channel, channel.channel, channel
    yield words["channels"], "", words["whole"], coverage.deliveries
