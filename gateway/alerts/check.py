"""Parse and lint in one: bytes in, a verdict out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from gateway.alerts.findings import Finding, Refused
from gateway.alerts.lint import lint
from gateway.alerts.parse import Parsed, parse

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.alerts.hazards import Hazards
    from gateway.alerts.rules.context import Source
    from gateway.alerts.xml import Limits

Verdict: TypeAlias = Literal["ok", "findings", "refused"]


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict on one file: ``ok`` without findings, ``refused`` without a message."""

    verdict: Verdict
    parsed: Parsed | None
    findings: list[Finding]


def check(
    data: bytes,
    *,
    now: datetime | None = None,
    source: Source | None = None,
    hazards: Hazards | None = None,
    limits: Limits | None = None,
) -> Checked:
    """Read and lint a file; never raises for what is in it. The arguments are those of parse and lint."""
    try:
        parsed = parse(data, limits=limits)
    except Refused as refused:
        one = Finding(refused.code, "error", refused.path, refused.message)
        return Checked("refused", None, [one])
    findings = merged(parsed.findings, lint(parsed.alert, now=now, source=source, hazards=hazards))
    return Checked("findings" if findings else "ok", parsed, findings)


def merged(*lists: list[Finding]) -> list[Finding]:
    """The findings of several passes; what two of them say of the same place stands once."""
    seen: dict[tuple[str, str], int] = {}
    out: list[Finding] = []
    for number, findings in enumerate(lists):
        out.extend(one for one in findings if seen.setdefault((one.code, one.path), number) == number)
    return out
