"""Turn an approved alert into a release: the one transaction that plans every delivery."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from gateway.dispatch.contents import CONFIRM, Texts, choose_language
from gateway.store import plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

SMALLEST_BATCH = 20
"""On a slow channel too a batch ends soon, so that a Cancel waits for seconds at its border."""
LARGEST_BATCH = 10_000
BATCH_SECONDS = 2.0
"""About how long a batch takes at the channel's rate, so that a red alert soon overtakes a blue one."""


class NothingToSendError(ValueError):
    """No target has an address on any channel of the plan; the text says so for the desk."""


class Opening(NamedTuple):
    """Everything frozen that a release needs."""

    alert_id: int
    warning_id: int
    mode: str
    """``live`` or ``drill``."""
    lane: str
    """``urgent``, ``normal`` or ``drill``."""
    digest: str
    target_list_id: int
    texts: Texts
    resend_unknown: bool
    """Whether a delivery whose answer was lost is sent once more (extreme and severe)."""
    expires: datetime
    released_by: str
    channels: Sequence[str]
    rates: Mapping[str, float]
    """Parts a second that each channel may send, by contract; sizes the batches."""
    first: bool = False
    """Whether its batches go to the front of the queue (a Cancel does)."""
    reference: str | None = None
    """The release's public reference, where the desk needs it before the release; else made here."""


class OpenedRelease(NamedTuple):
    """What came of it."""

    id: int
    reference: str
    deliveries: dict[str, int]


def new_reference() -> str:
    """Return a public reference for a release: short, unguessable, safe in a mail's Message-ID."""
    return secrets.token_hex(8)


def batch_size(rate: float, parts: int = 1) -> int:
    """Return how many deliveries a batch holds at a channel's rate in parts a second."""
    return min(LARGEST_BATCH, max(SMALLEST_BATCH, int(rate * BATCH_SECONDS / parts)))


async def open_release(connection: AsyncConnection, opening: Opening) -> OpenedRelease:
    """Insert the release, its deliveries, batches, counters and doorbells in the caller's transaction.

    Raises:
        NothingToSendError: no target can be reached over the plan's channels.
    """
    reference = opening.reference or new_reference()
    release = await plan.insert_release(connection, _release_row(opening, reference))
    counts = await plan.count_deliveries(connection, opening.target_list_id, list(opening.channels))
    if not counts:
        raise NothingToSendError("no recipient has an address on the channels of this plan")
    languages = await plan.target_languages(connection, opening.target_list_id)
    planned = {}
    for channel, count in counts.items():
        planned[channel] = await plan.insert_deliveries(
            connection,
            release=release,
            list_id=opening.target_list_id,
            channel=channel,
            count=count,
            size=batch_size(opening.rates.get(channel, LARGEST_BATCH)),
            keys=text_keys(list(opening.texts[channel]), languages),
        )
        if planned[channel] != count:
            raise AssertionError(f"{count} deliveries on {channel} were due, {planned[channel]} were planned")
    await plan.ring(connection, release, opening.lane)
    return OpenedRelease(release, reference, planned)


def text_keys(offered: list[str], languages: list[str]) -> list[tuple[str, bool, str]]:
    """Return (language, personal, text key) for each language that recipients want."""
    plain = [key for key in offered if not key.endswith(CONFIRM)]
    chosen = [(language, choose_language(language, plain)) for language in languages]
    personal = [(language, key + CONFIRM if key + CONFIRM in offered else key) for language, key in chosen]
    return [(language, False, key) for language, key in chosen] + [
        (language, True, key) for language, key in personal
    ]


def _release_row(opening: Opening, reference: str) -> dict[str, object]:
    kept = opening._asdict()
    for name in ("channels", "rates"):
        del kept[name]
    return kept | {"reference": reference}
