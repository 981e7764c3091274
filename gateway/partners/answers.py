"""What partners are answered, as models: the OpenAPI document is made from these."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from gateway.coverage import Share, Tally
from gateway.coverage.model import ChannelRow, Devices, Head, Point, RoleRow, TownshipRow

if TYPE_CHECKING:
    from typing import Self

    from gateway.coverage import Coverage


class Answer(BaseModel):
    """A frozen record."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Problem(Answer):
    """Why a request was not taken (RFC 9457); nothing has changed."""

    type: str
    """`urn:tongda:problem:CODE`; the code is stable, for programs."""
    title: str
    """The status in words."""
    status: int
    detail: str
    """One sentence for people, with the way out."""


class KeyAnswer(Answer):
    """What identifies an alert (CAP)."""

    sender: str
    identifier: str
    sent: datetime


class OurAlert(Answer):
    """The alert of this gateway that a pushed one led to."""

    sender: str
    identifier: str
    state: str
    """`draft`, `submitted`, `approved`, `released`, `updated`, `cancelled`, `expired` or `withdrawn`."""
    hazard: str
    level: str
    mode: str
    """`live` or `drill`."""
    released_at: datetime | None
    """When it left the desk."""


class PushedAlert(Answer):
    """An alert that you pushed, and what became of it so far."""

    id: int
    """Its number here."""
    key: KeyAnswer
    status: str
    msg_type: str
    scope: str
    event: str
    severity: str
    expires: datetime | None
    state: str
    """`inbox`, `held`, `quarantined`, `stored`, `superseded`, `drafted`, `submitted`, `released`,
    `taken_back` or `dismissed`; or `repeated`, where another source had brought it."""
    reason: str
    """Why, in a sentence."""
    first: bool
    """Whether you brought it first. What became of an alert that another source had brought is not told."""
    alert: OurAlert | None
    findings: list[str]
    """What was unusual about it, with the place."""
    pushed_at: datetime
    changed_at: datetime


class PushedPage(Answer):
    """Alerts that you pushed, the newest first."""

    alerts: list[PushedAlert]
    next: str | None
    """The cursor of the next page; null on the last one."""


class FindingAnswer(Answer):
    """One remark."""

    code: str
    severity: Literal["error", "warning", "info"]
    path: str
    message: str


class Checked(Answer):
    """What would become of an alert. Nothing was written."""

    key: KeyAnswer
    state: str
    """The state that it would get, or what would be done: `draft`, `submit`, `release` or `cancel`."""
    reason: str
    findings: list[FindingAnswer]


class ChannelReceipts(Answer):
    """Deliveries of one channel, by their state."""

    channel: str
    states: dict[str, int]


class RegionReceipts(ChannelReceipts):
    """Deliveries of one channel in one township, its villages summed."""

    region: str
    """Division code of the township, 12 digits; of the county or higher where people are known so only."""


class ReleaseReceipts(Answer):
    """How far the deliveries of one release are.

    States: `pending`, `accepted`, `delivered`, `read`, `confirmed`; or `rejected`, `expired`,
    `suppressed`, `unknown`. Unknown is never counted as delivered.
    """

    reference: str
    mode: str
    state: str
    """`open`, `stopped` or `closed`."""
    released_at: datetime
    total: dict[str, int]
    channels: list[ChannelReceipts]
    regions: list[RegionReceipts]


class ReceiptsAnswer(Answer):
    """Receipts of the releases that came of an alert that you pushed; empty before one left."""

    id: int
    measured_at: datetime
    releases: list[ReleaseReceipts]


class CoverageAnswer(Answer):
    """Who was reached by the release that came of an alert that you pushed."""

    release: Head
    people: Tally
    """Everybody, once each."""
    without_address: int
    deliveries: Tally
    """All channels together."""
    attempts_accepted: Share
    townships: tuple[TownshipRow, ...]
    channels: tuple[ChannelRow, ...]
    roles: tuple[RoleRow, ...]
    responsible: Share
    """Responsible persons who confirmed."""
    responsible_in_time: Share
    public_in_time: Share
    responsible_limit_s: float
    public_limit_s: float
    villages: Share
    """Villages covered, of the villages targeted."""
    population: Share
    first_receipt_s: float | None
    t90_s: float | None
    curve: tuple[Point, ...]
    curve_step_s: float
    devices: Devices

    @classmethod
    def of(cls, coverage: Coverage) -> Self:
        """Return what partners are told of a report: no groups, no other releases, no times of the desk."""
        return cls(**{name: getattr(coverage, name) for name in cls.model_fields})
