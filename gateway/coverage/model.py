"""The figures of one report, as data: what ``tongda coverage --json`` prints."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, computed_field

from gateway.store.coverage import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping


class Figures(BaseModel):
    """A frozen record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Share(Figures):
    """A percentage with what it was made of."""

    part: int
    of: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rate(self) -> float | None:
        """Between 0 and 1; None where there is nothing to divide by."""
        return self.part / self.of if self.of else None


class Tally(Figures):
    """How far people (or deliveries) got; ``accepted``, ``delivered`` and ``confirmed`` are cumulative."""

    intended: int
    accepted: int
    delivered: int
    confirmed: int
    unknown: int
    failed: int
    pending: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rate(self) -> float | None:
        """Delivered or better, of the intended; None where nobody was intended."""
        return self.reached.rate

    @property
    def reached(self) -> Share:
        """Delivered or better, of the intended."""
        return Share(part=self.delivered, of=self.intended)

    @classmethod
    def of(cls, standings: Mapping[int, int], **more: object) -> Self:
        """Add up people or deliveries by :class:`gateway.store.coverage.Standing`."""
        counts = Counter(standings)

        def least(standing: Standing) -> int:
            return sum(number for rank, number in counts.items() if rank >= standing)

        return cls(
            intended=counts.total(),
            accepted=least(Standing.ACCEPTED),
            delivered=least(Standing.DELIVERED),
            confirmed=least(Standing.CONFIRMED),
            unknown=counts[Standing.UNKNOWN],
            failed=counts[Standing.FAILED] + counts[Standing.NO_ADDRESS],
            pending=counts[Standing.PENDING],
            **more,
        )


class RoleRow(Tally):
    """People of one role (``responsible``, ``resident``, ...) or of one named group."""

    name: str


class TownshipRow(Tally):
    """People of one township and its villages; villages roll up by the first nine digits of their code."""

    code: str
    name: str
    rank: int
    """Place by rate, 1 for the best; equal rates share a place."""
    villages: Share
    """Villages covered, of the villages targeted."""
    population: Share
    """The same, weighted by population."""
    responsible: Share
    """Responsible persons who confirmed."""
    in_time: Share
    """Responsible persons who confirmed within the time allowed."""


class Reason(Figures):
    """Why deliveries of a channel failed or stayed unknown."""

    state: str
    """``unknown``, ``suppressed``, ``expired`` or ``rejected``."""
    code: str
    """The provider's own; empty where there was none."""
    count: int


class ChannelRow(Tally):
    """Deliveries of one channel."""

    channel: str
    attempts_accepted: Share
    """Tries that the channel accepted, of all its tries, throttled and repeated ones too (发送成功率)."""
    p50_s: float | None
    """Seconds from release within which half of those reached were reached."""
    p90_s: float | None
    reasons: tuple[Reason, ...]
    """The most frequent first."""


class Devices(Figures):
    """What is known of terminals at the moment of the report; the three add up to all that are intended."""

    online: Share
    """Terminals whose last word was that they are on line (设备在线率)."""
    offline: int
    silent: int
    """Never heard of, and so not counted as on line."""


class DeviceRow(Devices):
    """Terminals of one township."""

    code: str
    name: str


class Step(Figures):
    """How long one step took before the warning left the desk."""

    name: str
    """``drafting``, ``review``, ``signing`` or ``whole``."""
    count: int
    """How many times were taken: a review has one for each approver."""
    median_s: float | None
    max_s: float | None


class Point(Figures):
    """People reached and confirmed by so many seconds after the release, cumulative."""

    seconds: float
    delivered: int
    confirmed: int


class Related(Figures):
    """Another release of the same warning; never added to this one's figures. Counts are deliveries."""

    id: int
    reference: str
    mode: str
    msg_type: str
    level: str
    released_at: datetime
    intended: int
    delivered: int


class Head(Figures):
    """What was released."""

    id: int
    reference: str
    mode: str
    """``live`` or ``drill``: a drill's report is marked as one everywhere."""
    msg_type: str
    """CAP: ``Alert``, ``Update`` or ``Cancel``."""
    level: str
    headlines: dict[str, str]
    """By language tag."""
    event: str
    senders: dict[str, str]
    """Who issued it, by language tag."""
    state: str
    released_at: datetime
    expires: datetime
    measured_at: datetime

    def headline(self, language: str) -> str:
        """Return the headline in a language, else in the first there is."""
        return _spoken(self.headlines, language) or self.reference

    def sender(self, language: str) -> str:
        """Return the issuer in a language, else in the first there is."""
        return _spoken(self.senders, language)


def _spoken(texts: dict[str, str], language: str) -> str:
    fitting = [text for tag, text in texts.items() if tag.partition("-")[0] == language]
    return next(iter([*fitting, *texts.values()]), "")


class Coverage(Figures):
    """The coverage of one release at one moment."""

    release: Head
    people: Tally
    """Everybody, once each."""
    without_address: int
    """Of the failed: people whom no channel of the plan has an address for."""
    deliveries: Tally
    """All channels together."""
    attempts_accepted: Share
    """Tries that were accepted, of all tries, over all channels."""
    townships: tuple[TownshipRow, ...]
    channels: tuple[ChannelRow, ...]
    roles: tuple[RoleRow, ...]
    groups: tuple[RoleRow, ...]
    """Named groups; who is in two is counted in both. Membership as of the report."""
    responsible: Share
    """Responsible persons who confirmed (叫应率)."""
    responsible_in_time: Share
    """Responsible persons who confirmed within :attr:`responsible_limit_s`."""
    public_in_time: Share
    """Everybody else reached within :attr:`public_limit_s`."""
    responsible_limit_s: float
    public_limit_s: float
    villages: Share
    """Villages covered, of the villages targeted."""
    population: Share
    """The same, weighted by population."""
    first_receipt_s: float | None
    """Seconds from release to the first proof of delivery; None where there is none yet."""
    t90_s: float | None
    """Seconds from release to 90 % of those reached so far."""
    curve: tuple[Point, ...]
    curve_step_s: float
    approval: tuple[Step, ...]
    devices: Devices
    device_townships: tuple[DeviceRow, ...]
    related: tuple[Related, ...]
