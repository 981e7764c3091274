"""The adapter for WeCom group robots: POST {base_url}/cgi-bin/webhook/send?key=KEY.

Source: developer.work.weixin.qq.com/document/path/91770. A robot gives no reference, no
receipt and no way to ask, so ``accepted`` (handed to the group) is the highest proof.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from typing import TYPE_CHECKING, ClassVar, Final, Literal
from urllib.parse import parse_qs, urlsplit

import aiohttp
from pydantic import Field, field_validator

from channels.base import (
    Accepted,
    AddressRefused,
    Capabilities,
    Channel,
    ChannelDown,
    Content,
    Message,
    Outcome,
    Prepared,
    Proof,
    Rejected,
    Retry,
    RouteSettings,
    Throttled,
    Unknown,
    always,
    refuse_controls,
)
from channels.wecom.errand import Errand, Held, Trip, leave
from channels.wecom.pace import Pace
from channels.wecom.text import LIMITS, WecomText
from channels.wecom.verdicts import Busy, by_body, by_status, is_listed, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from channels.base import Reporter, Sink

VENDOR: Final = "https://qyapi.weixin.qq.com"
PATH: Final = "/cgi-bin/webhook/send"
ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer that are read; the vendor's are under 1 KB."""
KEEP_IDLE: Final = 15.0
"""Seconds a connection is kept idle: shorter than any server's, so that none is closed under a request."""

_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_log = logging.getLogger(__name__)


class WecomSettings(RouteSettings):
    """Settings of a route over WeCom group robots."""

    base_url: str = VENDOR
    """Where the robots are; plain http only on this machine (the simulator)."""
    style: Literal["text", "markdown"] = "text"
    """Message type. With ``markdown`` the template writes the vendor's markdown itself."""
    per_minute: int = Field(default=20, ge=1)
    """Messages that the vendor lets one robot send in a minute."""
    patience: float = Field(default=3.0, ge=0, le=20)
    """Seconds that a message may wait for its robot; beyond that it is throttled and comes back."""
    connect_timeout: float = Field(default=5.0, gt=0)
    """Seconds to reach the vendor."""
    timeout: float = Field(default=10.0, gt=0)

    @field_validator("base_url")
    @classmethod
    def _encrypted(cls, value: str) -> str:
        """Refuse an address that would show the keys to the network."""
        parts = urlsplit(value.rstrip("/"))
        _ = parts.port  # raises ValueError where it is no port
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"base_url must be an address like {VENDOR}")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("base_url must begin with https:// because the robot's key is in the address")
        return value.rstrip("/")


class WecomChannel(Channel):
    """One HTTP session to the vendor for the life of a worker."""

    kind: ClassVar[str] = "wecom"
    capabilities: ClassVar[Capabilities] = Capabilities(
        addresses="key of a group robot, or its whole webhook address",
        highest=Proof.ACCEPTED,
        receipts=False,
        links=True,
        retry_safe=False,
        text_limit=LIMITS["text"],
        text_unit="bytes of UTF-8",
        limits_by_address=True,
    )
    Settings: ClassVar[type[RouteSettings]] = WecomSettings

    settings: WecomSettings

    def __init__(self, settings: WecomSettings, sink: Sink) -> None:
        """Keep the settings; the sink is never used because robots report nothing."""
        super().__init__(settings, sink)
        self._busy = Busy()
        self._pace = Pace(settings.per_minute, settings.patience)
        self._window = asyncio.Semaphore(settings.window)
        self._session: aiohttp.ClientSession | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()

    @staticmethod
    def check_address(address: str) -> str:
        """Return the robot's key, taken out of the webhook address where that was pasted."""
        refuse_controls(address)
        key = _key_of(address.strip())
        if not _KEY.fullmatch(key):
            raise AddressRefused(
                "a group robot's address is its key (16 to 64 letters, digits and hyphens) "
                f"or its webhook address {VENDOR}{PATH}?key=..."
            )
        return key

    def prepare(self, content: Content) -> WecomText:
        """Encode the text; a text over the limit is refused, because a warning is never cut."""
        return WecomText(self.settings.style, content.text)

    async def open(self) -> None:
        """Reach the vendor once, so that a wrong ``base_url`` or a closed firewall shows at the start."""
        await self._knock()
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(leave)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.settings.window, keepalive_timeout=KEEP_IDLE),
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout, connect=self.settings.connect_timeout),
            # An answer is under 1 KB: a compressed one could only be a bomb.
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
        )

    async def close(self) -> None:
        """Wait briefly for open answers, then close the session."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=min(self.settings.timeout, 5.0))
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        """Post each message and report its outcome; see :class:`channels.base.Channel`."""
        assert isinstance(prepared, WecomText)
        errand = Errand(prepared, report, may_leave)
        tasks = [asyncio.create_task(self._deliver(errand, message)) for message in messages]
        errand.waiting.update(zip(tasks, messages, strict=True))
        self._under_way.update(tasks)
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._under_way.difference_update(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _deliver(self, errand: Errand, message: Message) -> None:
        unfit = errand.prepared.unfit(message.fill)
        may, wait = (False, 0.0) if unfit else self._pace.take(message.address, self._now())
        if unfit:
            errand.tell(message, Rejected(unfit))
        elif not may:
            errand.tell(message, Throttled(wait, "pace"))
        else:
            await self._in_turn(errand, message, wait)

    async def _in_turn(self, errand: Errand, message: Message, wait: float) -> None:
        """Wait for the robot's moment and for room, and post."""
        trip = Trip(errand.may_leave)
        try:
            await asyncio.sleep(wait)
            async with self._window:
                errand.go()
                outcome = await self._post(errand.prepared.body(message.fill), message, trip)
        except Held:
            errand.hold(message)
        except asyncio.CancelledError:
            if trip.sent:
                errand.tell(message, Unknown("cancelled"))
            raise
        else:
            if isinstance(outcome, Throttled):
                self._pace.hold(message.address, outcome.after, self._now())
            errand.tell(message, self._busy.judge(message.delivery, outcome))
        finally:
            if not trip.sent:
                self._pace.give_back(message.address)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _post(self, body: bytes, message: Message, trip: Trip) -> Outcome:
        """Post one body; raises :class:`channels.wecom.errand.Held` where it may not leave any more."""
        if self._session is None:
            return Retry(1.0, "closed")
        url, query = f"{self.settings.base_url}{PATH}", {"key": message.address}
        try:
            async with self._session.post(
                url, params=query, data=body, allow_redirects=False, trace_request_ctx=trip
            ) as response:
                outcome = by_status(response.status)
                answer = b"" if outcome else await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The error's own text may hold the address with the key: only its kind is told.
            code = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
            return Unknown(code) if trip.sent else Retry(5.0, code)
        if len(answer) > ANSWER_LIMIT:
            return Unknown("answer-too-long")
        outcome = outcome or by_body(answer, f"wecom-{message.delivery}")
        self._tell_once(outcome, answer, message.address)
        return outcome

    def _tell_once(self, outcome: Outcome, answer: bytes, key: str) -> None:
        """Log an answer that stands in no table, once for each code."""
        if isinstance(outcome, Accepted) or is_listed(outcome.code) or outcome.code in self._told:
            return
        self._told.add(outcome.code)
        _log.warning("wecom: answer %s is not in our table: %s", outcome.code, redacted(answer, key))

    async def _knock(self) -> None:
        parts = urlsplit(self.settings.base_url)
        secure = parts.scheme == "https"
        try:
            async with asyncio.timeout(self.settings.connect_timeout):
                _, writer = await asyncio.open_connection(
                    parts.hostname, parts.port or (443 if secure else 80), ssl=secure or None
                )
        except (OSError, TimeoutError, ValueError) as error:  # ValueError: no possible host name
            raise ChannelDown(
                f"WeCom cannot be reached at {parts.hostname} ({type(error).__name__}): "
                "check base_url and the firewall"
            ) from None
        writer.transport.abort()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key_of(address: str) -> str:
    if not address.startswith(VENDOR + PATH):
        return address
    return parse_qs(urlsplit(address).query).get("key", [""])[0]


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer, at most one byte more than the limit."""
    answer = bytearray()
    while len(answer) <= ANSWER_LIMIT:
        chunk = await response.content.read(ANSWER_LIMIT + 1 - len(answer))
        if not chunk:
            return bytes(answer)
        answer += chunk
    response.close()
    return bytes(answer)
