"""How far the sending of a release is: the one answer for every page and report."""

from __future__ import annotations

from typing import Literal

Progress = Literal["sending", "awaiting", "stopped", "ended"]


def progress(state: str, pending: int) -> Progress:
    """Return how far the sending of a release is.

    Args:
        state: of the release: ``open``, ``stopped`` or ``closed``.
        pending: deliveries that no provider has taken or refused yet.

    Returns:
        ``sending`` while something is still to be handed over; ``awaiting`` once everything was handed
        over and receipts may still come; ``stopped`` where an Update or Cancel takes its place; ``ended``
        once each delivery is settled, or its time and the grace for late receipts are over.
    """
    if state == "closed":
        return "ended"
    if state == "stopped":
        return "stopped"
    return "sending" if pending else "awaiting"
