"""The adapter for loudspeakers and radio terminals: signed commands, published with QoS 1.

The broker's PUBACK is ``accepted``. What the terminal did comes back on its ``ack`` topic and
is taken by :class:`channels.mqtt.listener.AckListener`; the sending session subscribes nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, ClassVar, Final

import aiomqtt
import orjson

from channels.base import (
    HOLE,
    Accepted,
    Capabilities,
    Channel,
    Content,
    ContentRefused,
    Listener,
    Message,
    Outcome,
    Prepared,
    Proof,
    Retry,
    RouteSettings,
    Unknown,
)
from channels.mqtt.counter import Counter
from channels.mqtt.frames import make_ref, seal
from channels.mqtt.link import Link
from channels.mqtt.listener import AckListener
from channels.mqtt.settings import MqttSettings, check_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from channels.base import Reporter, Sink

TEXT_LIMIT: Final = 3000
"""Bytes of UTF-8: leaves room for the other members in a frame of 4096 bytes."""
DOWN_PAUSE: Final = 2.0
"""Seconds after which a message may be tried again while the broker is away."""


class Command(Prepared):
    """What every terminal gets, encoded but for its id, counter and signature."""

    def __init__(self, content: Content, text: str, volume: int, repeat: int) -> None:
        """Encode the members that all terminals share."""
        self.release = content.release
        self._text = text
        shared = {
            "text": text,
            "lang": content.language,
            "level": content.level,
            "repeat": repeat,
            "volume": volume,
            "expires": int(content.expires.timestamp()),
            "drill": content.drill,
        }
        self._tail = b"," + orjson.dumps(shared)[1:]

    def preview(self, fill: str = "") -> str:  # noqa: ARG002 - a link is not read out
        """Return the text that is read out; a link has no use there and is left out."""
        return self._text

    def body(self, ref: str, counter: int) -> bytes:
        """Return the JSON that is signed for one terminal."""
        return orjson.dumps({"id": ref, "counter": counter})[:-1] + self._tail


class MqttChannel(Channel):
    """One connection to the broker for the life of a worker."""

    kind: ClassVar[str] = "mqtt"
    capabilities: ClassVar[Capabilities] = Capabilities(
        addresses="12-digit area code, a slash, device id: 330726101001/horn-07",
        highest=Proof.DELIVERED,
        receipts=True,
        links=False,
        retry_safe=True,
        text_limit=TEXT_LIMIT,
        text_unit="bytes of UTF-8",
    )
    Settings: ClassVar[type[RouteSettings]] = MqttSettings
    settings: MqttSettings

    _counter: ClassVar[Counter] = Counter()  # one for the process: its counters never meet

    def __init__(self, settings: MqttSettings, sink: Sink) -> None:
        """Keep the settings; reports come through the listener, not through this session."""
        super().__init__(settings, sink)
        name = f"{settings.client_id}-send-{secrets.token_hex(6)}"
        self._link = Link(settings, name, clean=True, serve=_until_lost)
        self._window = asyncio.Semaphore(settings.window)
        self._in_flight: set[asyncio.Future[None]] = set()
        self._closing = False

    @staticmethod
    def check_address(address: str) -> str:
        """Return ``<area12>/<device>``; see :func:`channels.mqtt.settings.check_address`."""
        return check_address(address)

    @classmethod
    def listener(cls, settings: MqttSettings, sink: Sink) -> Listener:
        """Return what takes this route's acks and states; run one for each gateway."""
        return AckListener(settings, sink)

    def prepare(self, content: Content) -> Command:
        """Encode the command; a text over the limit is refused, because a warning is never cut."""
        text = content.text.replace(HOLE, "")
        size = len(text.encode())
        if size > TEXT_LIMIT:
            raise ContentRefused(
                f"the text takes {size} bytes and a command to a loudspeaker holds {TEXT_LIMIT} "
                "(a Chinese character takes 3): shorten the text of this channel"
            )
        if not text.strip():
            raise ContentRefused("the text is empty: write what the loudspeakers are to read out")
        try:
            volume, repeat = self.settings.volume[content.level], self.settings.repeat[content.level]
        except KeyError:
            raise ContentRefused(
                f"volume and repeat have no value for level {content.level!r}: add it to the route's settings"
            ) from None
        return Command(content, text, volume, repeat)

    async def open(self) -> None:
        """Connect to the broker; afterwards the connection comes back by itself."""
        self._closing = False
        await self._link.open()

    async def close(self) -> None:
        """Take no more messages, wait briefly for open answers, and disconnect."""
        self._closing = True
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=min(self.settings.timeout, 5.0))
        await self._link.close()

    async def send(self, prepared: Prepared, messages: Sequence[Message], report: Reporter) -> None:
        """Publish a command for each message; see :class:`channels.base.Channel`."""
        assert isinstance(prepared, Command)
        waiting = iter(messages)
        lanes = [
            asyncio.create_task(self._lane(prepared, waiting, report))
            for _ in range(min(self.settings.window, len(messages)))
        ]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(self, prepared: Command, waiting: Iterator[Message], report: Reporter) -> None:
        while True:
            async with self._window:
                message = next(waiting, None)
                if message is None:
                    return
                await self._hand_over(prepared, message, report)

    async def _hand_over(self, prepared: Command, message: Message, report: Reporter) -> None:
        client, lost = self._link.client, self._link.lost
        if self._closing or client is None or lost is None:
            report([(message.delivery, Retry(DOWN_PAUSE, "broker-down"))])
            return
        ref, frame = self._frame(prepared, message)
        topic = self.settings.topic(message.address, "cmd")
        flight = asyncio.ensure_future(client.publish(topic, frame, qos=1, timeout=self.settings.timeout))
        self._in_flight.add(flight)
        try:
            await asyncio.wait({flight, lost}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            report([(message.delivery, Unknown("cancelled"))])
            raise
        else:
            report([(message.delivery, _outcome(flight, ref))])
        finally:
            self._in_flight.discard(flight)
            flight.cancel()

    def _frame(self, prepared: Command, message: Message) -> tuple[str, bytes]:
        """Return (id, signed frame) for one terminal."""
        settings, address = self.settings, message.address
        ref = make_ref(settings.master, address, prepared.release, message.delivery)
        body = prepared.body(ref, self._counter.next(settings.counter_lead))
        return ref, seal(settings.key_of(address), "cmd", address, body)


def _outcome(flight: asyncio.Future[None], ref: str) -> Outcome:
    """Return what a publication came to; one that is still open lost its connection."""
    if not flight.done():
        return Unknown("connection-lost")
    error: Any = flight.exception()
    if error is None:
        return Accepted((ref,))
    if isinstance(error, aiomqtt.MqttCodeError):
        return Retry(DOWN_PAUSE, "broker-down")  # paho had no connection: no byte left
    return Unknown("timeout")


async def _until_lost(client: aiomqtt.Client) -> None:
    async for _ in client.messages:
        pass
