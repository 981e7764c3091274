"""The report for a terminal: columns that line up, Chinese characters being two cells wide."""

from __future__ import annotations

from datetime import UTC
from io import StringIO
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.coverage.progress import progress
from gateway.coverage.words import Words, moment, percent, seconds, share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from gateway.coverage.model import Coverage, Devices, Tally

_COUNTS = ("intended", "accepted", "delivered", "confirmed", "unknown", "failed")
_WIDTH = 400
"""Wider than any table, so that no cell is folded; lines are cut at their last character."""


def render_text(coverage: Coverage, language: str = "zh", zone: tzinfo = UTC) -> str:
    """Return the report as plain text; ``zone`` is the one its times are told in."""
    words = Words(language)
    parts: list[Table | Text] = [
        _heading(coverage, words, zone),
        _summary(coverage, words),
        _approval(coverage, words),
        _townships(coverage, words),
        _channels(coverage, words),
        *_reasons(coverage, words),
        _roles(coverage, words),
        *([_devices(coverage, words)] if coverage.device_townships else []),
        *([_related(coverage, words, zone)] if coverage.related else []),
        Text("\n".join(f"{words['notes']} {n}. {note}" for n, note in enumerate(words.notes, 1))),
    ]
    return "\n".join(_plain(part) for part in parts)


def _plain(part: Table | Text) -> str:
    file = StringIO()
    Console(file=file, width=_WIDTH, no_color=True, highlight=False, legacy_windows=False).print(part)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _heading(coverage: Coverage, words: Words, zone: tzinfo) -> Text:
    release = coverage.release
    state = words[progress(release.state, coverage.deliveries.pending)]
    drill = f"【{words['drill']} {words.other['drill']}】 " if release.mode == "drill" else ""
    lines = [
        f"{words['title']}  {drill}{release.headline(words.language)}",
        (
            f"{words['reference']} {release.reference} · {words[release.msg_type]} · {words[release.level]}"
            f" · {state} · {release.sender(words.language)}"
        ),
        (
            f"{words['released_at']} {moment(release.released_at, zone)} · "
            f"{words['measured_at']} {moment(release.measured_at, zone)}"
        ),
    ]
    return Text("\n".join(lines))


def _table(title: str, names: Sequence[str], left: int = 1) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for number, name in enumerate(names):
        table.add_column(Text(name), justify="left" if number < left else "right", no_wrap=True)
    return table


def _summary(coverage: Coverage, words: Words) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name, value in (
        (words["rate"], coverage.people.reached),
        (words["responsible_rate"], coverage.responsible),
        (words.minutes("in_time", coverage.responsible_limit_s), coverage.responsible_in_time),
        (words.minutes("public_in_time", coverage.public_limit_s), coverage.public_in_time),
        (words["villages_rate"], coverage.villages),
        (words["population_rate"], coverage.population),
        (words["attempts_accepted"], coverage.attempts_accepted),
        (words["devices_online"], coverage.devices.online),
    ):
        table.add_row(name, percent(value.rate), f"{value.part:,} / {value.of:,}")
    table.add_row(words["first_receipt"], seconds(coverage.first_receipt_s), "")
    table.add_row(words["t90"], seconds(coverage.t90_s), "")
    return table


def _approval(coverage: Coverage, words: Words) -> Table:
    table = _table(words["approval"], [words[name] for name in ("step", "median", "longest", "count")])
    for row in coverage.approval:
        table.add_row(words.step(row.name), seconds(row.median_s), seconds(row.max_s), f"{row.count:,}")
    return table


def _counts(tally: Tally, *, pending: bool) -> list[str]:
    names = (*_COUNTS, "pending") if pending else _COUNTS
    return [f"{getattr(tally, name):,}" for name in names] + [share(tally.reached)]


def _count_names(words: Words, *, pending: bool) -> list[str]:
    return [words[name] for name in (*_COUNTS, *(["pending"] if pending else []), "rate")]


def _townships(coverage: Coverage, words: Words) -> Table:
    pending = bool(coverage.people.pending)
    table = _table(
        f"{words['townships']} ({words['unit_people']})",
        [
            words["township"],
            *_count_names(words, pending=pending),
            words["answered"],
            words["villages"],
            words["rank"],
        ],
    )
    for row in coverage.townships:
        table.add_row(
            Text(row.name),
            *_counts(row, pending=pending),
            share(row.responsible),
            share(row.villages),
            str(row.rank),
        )
    table.add_section()
    table.add_row(
        words["whole"],
        *_counts(coverage.people, pending=pending),
        share(coverage.responsible),
        share(coverage.villages),
        "",
    )
    return table


def _channels(coverage: Coverage, words: Words) -> Table:
    pending = bool(coverage.deliveries.pending)
    table = _table(
        f"{words['channels']} ({words['unit_deliveries']})",
        [
            words["channel"],
            *_count_names(words, pending=pending),
            words["attempts_accepted"],
            words["p50"],
            words["p90"],
        ],
    )
    for row in coverage.channels:
        counts = _counts(row, pending=pending)
        accepted = share(row.attempts_accepted)
        table.add_row(Text(row.channel), *counts, accepted, seconds(row.p50_s), seconds(row.p90_s))
    table.add_section()
    counts = _counts(coverage.deliveries, pending=pending)
    table.add_row(words["whole"], *counts, share(coverage.attempts_accepted), "", "")
    return table


def _reasons(coverage: Coverage, words: Words) -> list[Text]:
    told = [f"  {row.channel}: {words.reasons(row)}" for row in coverage.channels if row.reasons]
    return [Text("\n".join([words["reasons"], *told]))] if told else []


def _roles(coverage: Coverage, words: Words) -> Table:
    pending = bool(coverage.people.pending)
    table = _table(
        f"{words['roles']} ({words['unit_people']})", [words["role"], *_count_names(words, pending=pending)]
    )
    for row in coverage.roles:
        table.add_row(words.role(row.name), *_counts(row, pending=pending))
    if coverage.groups:
        table.add_section()
        table.add_row(words["groups"])
    for row in coverage.groups:
        table.add_row(Text(row.name), *_counts(row, pending=pending))
    return table


def _devices(coverage: Coverage, words: Words) -> Table:
    names = ("township", "device_count", "online", "offline", "silent", "devices_online")
    table = _table(f"{words['devices']} ({words['unit_devices']})", [words[name] for name in names])
    for row in coverage.device_townships:
        table.add_row(Text(row.name), *_states(row))
    table.add_section()
    table.add_row(words["whole"], *_states(coverage.devices))
    return table


def _states(row: Devices) -> list[str]:
    counts = (row.online.of, row.online.part, row.offline, row.silent)
    return [f"{count:,}" for count in counts] + [share(row.online)]


def _related(coverage: Coverage, words: Words, zone: tzinfo) -> Table:
    names = ("reference", "kind", "level", "released_at", "intended", "delivered")
    table = _table(words["related"], [words[name] for name in names], 4)
    for row in coverage.related:
        kind = f"{words[row.msg_type]}{' ' + words['drill'] if row.mode == 'drill' else ''}"
        table.add_row(
            row.reference,
            kind,
            words[row.level],
            moment(row.released_at, zone),
            f"{row.intended:,}",
            f"{row.delivered:,}",
        )
    return table
