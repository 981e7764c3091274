"""How long a warning took at the desk: 录入, 审核, 签发, and all of it (审批用时)."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from gateway.coverage.model import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    Span = tuple[datetime | None, datetime | None]


def approval(head: Any, signed: Sequence[datetime]) -> tuple[Step, ...]:  # noqa: ANN401 - a row of releases
    """Return the steps of a release; a time that no row holds is missing, never 0."""
    # A Cancel is written when its warning is released: how long it lay ready says nothing of the desk.
    drafted = None if head.msg_type == "Cancel" else head.created_at
    return (
        _step("drafting", [(drafted, head.submitted_at)]),
        _step("review", [(head.submitted_at, at) for at in signed]),
        _step("signing", [(head.approved_at, head.released_at)]),
        _step("whole", [(drafted or head.submitted_at, head.released_at)]),
    )


def _step(name: str, spans: Iterable[Span]) -> Step:
    # The desk's clock and the database's write these times: a step of no length may come out below 0.
    times = [max(0.0, (end - start).total_seconds()) for start, end in spans if start and end]
    middle = median(times) if times else None
    return Step(name=name, count=len(times), median_s=middle, max_s=max(times, default=None))
