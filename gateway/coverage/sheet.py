"""The report as CSV, for a spreadsheet: one tidy table, cells that no spreadsheet runs."""

from __future__ import annotations

import csv
from datetime import UTC
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from gateway.coverage.words import NOTHING, Words, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from gateway.coverage.model import Coverage, Devices, Share, Tally, TownshipRow

_COUNTS = ("intended", "accepted", "delivered", "confirmed", "unknown", "failed", "pending")
_RELEASE = ("reference", "title", "kind", "measured_at")
_SUBJECT = ("section", "code", "name", "figure")
_VALUES = ("part", "of", "percent", "seconds")
_FORMULA = (*"=+-@＝＋－＠", "\t", "\r", "\n")  # the full-width ones compute in Chinese Excel
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class _Subject(NamedTuple):
    """Whose figures they are."""

    section: str
    code: str
    name: str


class _Line(NamedTuple):
    """One figure of one subject: a share, with the counts behind it where there are any, or a time."""

    subject: _Subject
    figure: str
    share: Share | None = None
    tally: Tally | None = None
    seconds: float | None = None


def render_csv(coverage: Coverage, language: str = "zh", zone: tzinfo = UTC) -> str:
    """Return the report as CSV with a byte order mark, without which Excel reads Chinese as noise.

    Columns: reference, headline, kind and time of the measurement (on every row, so that a drill's rows
    stay a drill's wherever they are pasted), section, code, name, figure, the seven counts (where the
    figure is the share reached), numerator, denominator, percentage, seconds. A percentage of nothing is
    a dash, a time that nothing tells is empty. Channels count deliveries and tries, devices themselves,
    all others people. The definitions stand at the end.
    """
    words = Words(language)
    file = StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([words[name] for name in (*_RELEASE, *_SUBJECT, *_COUNTS, *_VALUES)])
    release = _release(coverage, words, zone)
    for line in _lines(coverage, words):
        writer.writerow([inert(cell) for cell in (*release, *line.subject, line.figure, *_values(line))])
    return _BOM + file.getvalue()


def inert(cell: str) -> str:
    """Return the cell so that a spreadsheet shows it and does not compute it."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _release(coverage: Coverage, words: Words, zone: tzinfo) -> list[str]:
    release = coverage.release
    kind = f"{words[release.mode]} {words[release.msg_type]} {words[release.level]}"
    return [release.reference, release.headline(words.language), kind, moment(release.measured_at, zone)]


def _values(line: _Line) -> list[str]:
    counts = [str(getattr(line.tally, count)) if line.tally else "" for count in _COUNTS]
    of = [str(line.share.part), str(line.share.of)] if line.share else ["", ""]
    percent = _percent(line.share.rate) if line.share else ""
    return [*counts, *of, percent, "" if line.seconds is None else f"{line.seconds:.1f}"]


def _percent(rate: float | None) -> str:
    return NOTHING if rate is None else f"{int(rate * 10_000 + 1e-9) / 100:.2f}"


def _lines(coverage: Coverage, words: Words) -> Iterator[_Line]:
    yield from _whole(coverage, words)
    for township in coverage.townships:
        yield from _township(coverage, township, words)
    for section, rows in (("roles", coverage.roles), ("groups", coverage.groups)):
        for row in rows:
            name = words.role(row.name) if section == "roles" else row.name
            yield _reached(
                _Subject(words[section], "" if section == "groups" else row.name, name), row, words
            )
    yield from _channels(coverage, words)
    yield from _approval(coverage, words)
    yield from _devices(coverage, words)
    for note in words.notes:
        yield _Line(_Subject(words["notes"], "", note), "")


def _reached(subject: _Subject, tally: Tally, words: Words) -> _Line:
    return _Line(subject, words["rate"], tally.reached, tally)


def _whole(coverage: Coverage, words: Words) -> Iterator[_Line]:
    subject = _Subject(words["whole"], "", words["people"])
    yield _reached(subject, coverage.people, words)
    for figure, share in (
        (words["responsible_rate"], coverage.responsible),
        (words.minutes("in_time", coverage.responsible_limit_s), coverage.responsible_in_time),
        (words.minutes("public_in_time", coverage.public_limit_s), coverage.public_in_time),
        (words["villages_rate"], coverage.villages),
        (words["population_rate"], coverage.population),
    ):
        yield _Line(subject, figure, share)
    yield _Line(subject, words["first_receipt"], seconds=coverage.first_receipt_s)
    yield _Line(subject, words["t90"], seconds=coverage.t90_s)


def _township(coverage: Coverage, row: TownshipRow, words: Words) -> Iterator[_Line]:
    subject = _Subject(words["townships"], row.code, row.name)
    yield _reached(subject, row, words)
    yield _Line(subject, words["responsible_rate"], row.responsible)
    yield _Line(subject, words.minutes("in_time", coverage.responsible_limit_s), row.in_time)
    yield _Line(subject, words["villages_rate"], row.villages)
    yield _Line(subject, words["population_rate"], row.population)


def _channels(coverage: Coverage, words: Words) -> Iterator[_Line]:
    for row in coverage.channels:
        subject = _Subject(words["channels"], row.channel, row.channel)
        yield _reached(subject, row, words)
        yield _Line(subject, words["attempts_accepted"], row.attempts_accepted)
        yield _Line(subject, words["p50"], seconds=row.p50_s)
        yield _Line(subject, words["p90"], seconds=row.p90_s)
    whole = _Subject(words["channels"], "", words["whole"])
    yield _reached(whole, coverage.deliveries, words)
    yield _Line(whole, words["attempts_accepted"], coverage.attempts_accepted)


def _approval(coverage: Coverage, words: Words) -> Iterator[_Line]:
    for step in coverage.approval:
        subject = _Subject(words["approval"], step.name, words.step(step.name))
        yield _Line(subject, words["median"], seconds=step.median_s)
        yield _Line(subject, words["longest"], seconds=step.max_s)


def _devices(coverage: Coverage, words: Words) -> Iterator[_Line]:
    rows: list[tuple[str, str, Devices]] = [(row.code, row.name, row) for row in coverage.device_townships]
    for code, name, row in [*rows, ("", words["whole"], coverage.devices)]:
        subject = _Subject(words["devices"], code, name)
        yield _Line(subject, words["devices_online"], row.online)
        for figure, count in (("offline", row.offline), ("silent", row.silent)):
            yield _Line(subject, words[figure], row.online.model_copy(update={"part": count}))
