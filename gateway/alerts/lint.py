"""What people should look at before a message is used.

:func:`lint` looks at one message: the rules of CAP 1.2 that its schema cannot express, and what goes wrong
in practice. Its codes, their severity and one sentence each are in
:data:`gateway.alerts.findings.CODES`. ``error`` means that a person must decide before anything is sent.

Questions about several messages (duplicates, who supersedes whom) are in :mod:`gateway.alerts.chain`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.findings import Finding, Findings
from gateway.alerts.rules import areas, blocks, drills, identity, levels, resources, texts, validity
from gateway.alerts.rules.context import Context, Source

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.alerts.hazards import Hazards
    from gateway.alerts.model import Alert

__all__ = ["Finding", "Source", "lint"]

_RULES = (
    identity.about_identity,
    identity.about_audience,
    identity.about_references,
    blocks.about_blocks,
    validity.about_times,
    texts.about_texts,
    drills.about_drills,
    texts.about_languages,
    areas.about_areas,
    resources.about_resources,
    levels.about_levels,
)


def lint(
    alert: Alert,
    *,
    now: datetime | None = None,
    source: Source | None = None,
    hazards: Hazards | None = None,
) -> list[Finding]:
    """Everything that can be said about one message by itself.

    Args:
        alert: The message.
        now: The present, aware; without it nothing is said about messages from the future or the past.
        source: What is known of the sender: its region, whom it may supersede, how long its messages hold.
        hazards: The hazard table; without it colours are not judged.
    """
    context = Context(alert, now, source or Source(), hazards, Findings())
    for rule in _RULES:
        rule(context)
    return context.found.all()
