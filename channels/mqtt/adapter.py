"""The adapter for loudspeakers and radio terminals: signed commands, published with QoS 1.

The broker's PUBACK is ``accepted``. What the terminal did comes back on its ``ack`` topic and
is taken by :class:`channels.mqtt.listener.AckListener`; the sending session hears nothing but
the counters of the other senders.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any, ClassVar, Final

import aiomqtt

from channels.base import (
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
    always,
)
from channels.errand import Errand
from channels.mqtt.command import TEXT_LIMIT, Command
from channels.mqtt.counter import Beacon, counter_of
from channels.mqtt.frames import make_ref, seal
from channels.mqtt.link import Link
from channels.mqtt.listener import AckListener
from channels.mqtt.settings import MqttSettings, check_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from channels.base import Reporter, Sink

DOWN_PAUSE: Final = 2.0
"""Seconds after which a message may be tried again while the broker is away."""


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

    def __init__(self, settings: MqttSettings, sink: Sink) -> None:
        """Keep the settings; reports come through the listener, not through this session."""
        super().__init__(settings, sink)
        name = f"{settings.client_id}-send-{secrets.token_hex(6)}"
        self._link = Link(settings, name, clean=True, serve=self._hear)
        self._counter = counter_of(settings.master)
        self._beacon = Beacon(settings.master)
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
        """Encode the command once; raises :class:`channels.base.ContentRefused`."""
        try:
            volume, repeat = self.settings.volume[content.level], self.settings.repeat[content.level]
        except KeyError:
            raise ContentRefused(
                f"volume and repeat have no value for level {content.level!r}: add it to the route's settings"
            ) from None
        return Command(content, volume, repeat)

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

    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        """Publish a command for each message; see :class:`channels.base.Channel`."""
        assert isinstance(prepared, Command)
        errand = Errand(prepared, messages, report, may_leave)
        lanes = [
            asyncio.create_task(self._lane(errand)) for _ in range(min(self.settings.window, len(messages)))
        ]
        self._tell_counter()
        try:
            await errand.over(lanes)
        finally:
            self._tell_counter()
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(self, errand: Errand[Command]) -> None:
        """Take room in the window first and a message then: what has no room can still be held."""
        while errand.waiting:
            async with self._window:
                with errand.busy():
                    await self._next(errand)

    async def _next(self, errand: Errand[Command]) -> None:
        message = errand.take()
        client, lost = self._link.client, self._link.lost
        if message is None:
            return
        if self._closing or client is None or lost is None:
            errand.tell(message, Retry(DOWN_PAUSE, "broker-down"))
            return
        flight = Flight(self._frame(errand.prepared, message), errand.may_leave)
        publishing = asyncio.create_task(flight.go(client, self._topic(message), self.settings.timeout))
        self._in_flight.add(publishing)
        try:
            await asyncio.wait({publishing, lost}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if flight.left:
                errand.tell(message, Unknown("cancelled"))
            raise
        else:
            _tell(errand, message, flight, publishing)
        finally:
            self._in_flight.discard(publishing)
            publishing.cancel()

    async def _hear(self, client: aiomqtt.Client) -> None:
        """Take the other senders' counters for the life of one connection."""
        subscribing = asyncio.create_task(self._subscribe(client))
        try:
            async for message in client.messages:
                told = self._beacon.read(message.payload) if isinstance(message.payload, bytes) else None
                if told is not None:
                    self._counter.hear(told)
        finally:
            subscribing.cancel()
            await asyncio.gather(subscribing, return_exceptions=True)

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        # A broker that refuses costs no more than what the clocks of the hosts differ.
        with contextlib.suppress(aiomqtt.MqttError):
            await client.subscribe(self.settings.counter_topic)

    def _tell_counter(self) -> None:
        """Tell the other senders how far this one is, before and after what it sends."""
        client = self._link.client
        if client is not None:
            frame = self._beacon.write(self._counter.next(self.settings.counter_lead))
            # aiomqtt would have to be awaited, and nothing depends on when this leaves.
            client._client.publish(self.settings.counter_topic, frame, retain=True)  # noqa: SLF001

    def _topic(self, message: Message) -> str:
        return self.settings.topic(message.address, "cmd")

    def _frame(self, prepared: Command, message: Message) -> tuple[str, bytes]:
        """Return (id, signed frame) for one terminal."""
        settings, address = self.settings, message.address
        ref = make_ref(settings.master, address, prepared.release, message.delivery)
        body = prepared.body(ref, self._counter.next(settings.counter_lead))
        return ref, seal(settings.key_of(address), "cmd", address, body)


class Held(Exception):
    """The command must not leave any more; none of its bytes was written."""


class Flight:
    """One command on its way to the broker."""

    def __init__(self, command: tuple[str, bytes], may_leave: Callable[[], bool]) -> None:
        """Take (id, signed frame); nothing has left."""
        self.ref, self._frame = command
        self.left = False
        self._may_leave = may_leave

    async def go(self, client: aiomqtt.Client, topic: str, timeout: float) -> None:  # noqa: ASYNC109 - the library's
        """Publish and wait for the PUBACK; raises :class:`Held` where the command may not leave any more."""
        if not self._may_leave():
            raise Held
        self.left = True
        await client.publish(topic, self._frame, qos=1, timeout=timeout)


def _tell(errand: Errand[Command], message: Message, flight: Flight, publishing: asyncio.Task[None]) -> None:
    if publishing.done() and isinstance(publishing.exception(), Held):
        errand.hold(message)
    else:
        errand.tell(message, _outcome(flight, publishing))


def _outcome(flight: Flight, publishing: asyncio.Task[None]) -> Outcome:
    """Return what a publication came to; one that is still open lost its connection."""
    if not publishing.done():
        return Unknown("connection-lost") if flight.left else Retry(DOWN_PAUSE, "broker-down")
    error: Any = publishing.exception()
    if error is None:
        return Accepted((flight.ref,))
    if isinstance(error, aiomqtt.MqttCodeError):
        return Retry(DOWN_PAUSE, "broker-down")  # paho had no connection: no byte left
    return Unknown("timeout")
