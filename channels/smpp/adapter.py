"""The SMPP channel: what a warning looks like as submit_sm, and who sends it."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from channels.base import (
    HOLE,
    Capabilities,
    Channel,
    Content,
    ContentRefused,
    Message,
    Outcome,
    Prepared,
    Proof,
    Rejected,
    RouteSettings,
    always,
    refuse_text,
    unfit_fill,
)
from channels.smpp import text
from channels.smpp.address import check_address
from channels.smpp.codec import ESM_UDHI
from channels.smpp.job import Frame, Job
from channels.smpp.pool import SmppPool
from channels.smpp.settings import SmppSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from channels.base import Reporter, Sink

LINK_ROOM = "x" * 40
"""Stands for a confirm link when the parts of a text with a hole are counted."""

_REGISTERED = 1
"""registered_delivery: a receipt for success and for failure."""
_SHORTEST = timedelta(minutes=1)


class SmppPrepared(Prepared):
    """One warning text, with the route's addressing around it."""

    def __init__(self, content: Content, settings: SmppSettings) -> None:
        """Check and count the text; raises :class:`ContentRefused`."""
        self.content = content
        self.settings = settings
        self.reference = zlib.crc32(f"{content.release} {content.language}".encode()) & 0xFF
        self.parts = _checked_parts(refuse_text(content.text).replace(HOLE, LINK_ROOM), settings.max_parts)
        self.personal = HOLE in content.text

    def preview(self, fill: str = "") -> str:
        """Return exactly what a person will read."""
        return self.content.text.replace(HOLE, fill)

    def frames(self, now: datetime, fill: str = "") -> list[Frame]:
        """Return the submit_sm bodies of the text, one for each part (section 4.4.1)."""
        route = self.settings
        coding, payloads = text.encoded_parts(self.preview(fill), self.reference)
        prefix = b"\0%c%c%b\0%c%c" % (
            route.source_ton,
            route.source_npi,
            route.source_address.encode("ascii"),
            route.destination_ton,
            route.destination_npi,
        )
        esm_class = ESM_UDHI if len(payloads) > 1 else 0
        validity = validity_period(self.content.expires, now, route.validity)
        return [
            Frame(
                prefix,
                b"\0%c\0\0\0%b\0%c\0%c\0%c%b"
                % (esm_class, validity, _REGISTERED, coding.data_coding, len(payload), payload),
            )
            for payload in payloads
        ]

    def render(self, now: datetime, message: Message) -> list[bytes] | Outcome:
        """Return one person's submit_sm bodies, or why there can be none."""
        if reason := unfit_fill(message.fill):
            return Rejected(reason)
        frames = self.frames(now, message.fill)
        if len(frames) > self.settings.max_parts:
            return Rejected(f"longer than {self.settings.max_parts} parts with its link")
        return whole_bodies(frames, message)


class SmppChannel(Channel):
    """SMS through one operator or aggregator."""

    kind: ClassVar[str] = "smpp"
    capabilities: ClassVar[Capabilities] = Capabilities(
        addresses="mobile number",
        highest=Proof.DELIVERED,
        receipts=True,
        links=True,
        retry_safe=False,
        text_limit=670,
        text_unit="UTF-16 units (10 parts of 67); 1530 septets for plain Latin text",
    )
    Settings: ClassVar[type[RouteSettings]] = SmppSettings
    settings: SmppSettings

    def __init__(self, settings: SmppSettings, sink: Sink) -> None:
        """Keep settings and sink; :meth:`open` connects."""
        super().__init__(settings, sink)
        self._pool = SmppPool(settings, sink)

    @staticmethod
    def check_address(address: str) -> str:
        """Return the number as E.164 digits without a plus."""
        return check_address(address)

    def prepare(self, content: Content) -> SmppPrepared:
        """Choose the alphabet and count the parts."""
        return SmppPrepared(content, self.settings)

    async def open(self) -> None:
        """Bind all connections of the route."""
        self._pool = SmppPool(self.settings, self.sink)
        await self._pool.open()

    async def close(self) -> None:
        """Unbind."""
        await self._pool.close()

    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        """Hand over the messages; see :meth:`channels.base.Channel.send`."""
        assert isinstance(prepared, SmppPrepared)
        if not messages:
            return
        now = datetime.now(UTC)
        if prepared.personal:
            job = Job(messages, report, None, partial(prepared.render, now), may_leave)
        else:
            frames = prepared.frames(now)
            same = frames[0] if len(frames) == 1 else None
            job = Job(messages, report, same, partial(whole_bodies, frames), may_leave)
        await self._pool.send(job)


def whole_bodies(frames: list[Frame], message: Message) -> list[bytes]:
    """Return the bodies of all parts, addressed to one person."""
    number = message.address.encode("ascii")
    return [frame.prefix + number + frame.suffix for frame in frames]


def validity_period(expires: datetime, now: datetime, form: str) -> bytes:
    """Return until when the SMSC may try, as section 7.1.1 writes times; empty for its default.

    A relative period is never under a minute, because some SMSCs take zero for "as long as you like".
    """
    if form == "none":
        return b""
    if form == "absolute":
        return expires.astimezone(UTC).strftime("%y%m%d%H%M%S000+").encode()
    left = max(expires - now, _SHORTEST)
    minutes, seconds = divmod(left.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    months, days = divmod(min(left.days, 359), 30)
    return b"00%02d%02d%02d%02d%02d000R" % (months, days, hours, minutes, seconds)


def _checked_parts(whole: str, max_parts: int) -> int:
    if "\t" in whole:
        raise ContentRefused("the text holds a control character: remove it, or write a new line")
    coding = text.coding_of(whole)
    parts = text.count_parts(whole)
    if parts > max_parts:
        limit = coding.single if max_parts == 1 else coding.part * max_parts
        raise ContentRefused(
            f"the text has {text.size(whole, coding)} {coding.unit}, and {limit} fit into "
            f"{max_parts} SMS (setting max_parts): shorten it"
        )
    return parts
