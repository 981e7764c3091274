"""Takes what terminals tell: acks become receipts, states and last wills become device states.

The session is kept by the broker (fixed client id, ``clean_session`` off, QoS 1), and a
message is acknowledged to the broker only when the gateway has made it durable. So what
comes while the gateway is down, or was not durable when it fell, is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from aiomqtt import Client, MqttError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.base import (
    AddressRefused,
    ChannelDown,
    DeviceState,
    Listener,
    Proof,
    Receipt,
    Report,
    plain_text,
)
from channels.mqtt.frames import FrameRefused, delivery_of, unseal
from channels.mqtt.link import Link
from channels.mqtt.settings import MqttSettings, check_address

if TYPE_CHECKING:
    from aiomqtt import Message

    from channels.base import Sink

STATES: Final = {
    "queued": Proof.ACCEPTED,  # the terminal has it, yet nobody has heard anything
    "playing": Proof.ACCEPTED,  # it may still be cut short
    "done": Proof.DELIVERED,  # read out to the end: `played` of the coverage definitions
    "failed": Proof.REJECTED,
}
"""What a terminal's word proves; chosen low, so that coverage counts only what was read out."""
FAILURE: Final = 0x80
"""MQTT 3.1.1 section 3.9.3: the broker refuses a subscription."""
BATCH: Final = 500
DURABLE_WITHIN: Final = 60.0
"""Seconds after which reports that are still not durable are asked for again, on another connection."""

_log = logging.getLogger(__name__)


class Ack(BaseModel):
    """What a terminal tells of one command."""

    model_config = ConfigDict(strict=True)

    id: Annotated[str, Field(min_length=1, max_length=200)]
    state: Literal["queued", "playing", "done", "failed"]
    ts: float
    code: Annotated[str, Field(max_length=40)] = ""


class Status(BaseModel):
    """What a terminal tells of itself, or its broker when it is gone."""

    model_config = ConfigDict(strict=True)

    online: bool
    ts: float


class AckListener(Listener):
    """Runs once for each gateway and route.

    Attributes:
        refused: how many messages were dropped, by reason (``forged``, ``unsigned``, ...).
    """

    def __init__(self, settings: MqttSettings, sink: Sink) -> None:
        """Keep settings and sink; nothing is connected before :meth:`start`."""
        self.refused: Counter[str] = Counter()
        self._settings = settings
        self._sink = sink
        self._link = Link(settings, f"{settings.client_id}-acks", clean=False, serve=self._take)
        self._ready = asyncio.Event()
        self._denied = False

    async def start(self) -> None:
        """Connect and subscribe; afterwards the connection comes back by itself."""
        self._ready.clear()
        await self._link.open()
        with contextlib.suppress(TimeoutError):
            # The session's subscriptions outlive us, so a slow answer does no harm.
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._ready.wait()
        if self._denied:
            await self.stop()
            raise ChannelDown(
                f"the MQTT broker lets {self._settings.username or 'nobody'} not read "
                f"{self._topics()[0]}: give that user the right, or check username"
            )

    async def stop(self) -> None:
        """Disconnect; the broker keeps what was not acknowledged and what comes meanwhile."""
        await self._link.close()

    def _topics(self) -> list[str]:
        return [f"{self._settings.prefix}/+/+/{leaf}" for leaf in ("ack", "status")]

    async def _take(self, client: Client) -> None:
        """Read messages for the life of one connection.

        The subscription runs beside it: a broker may send what waited, and want it
        acknowledged, before it answers the subscription.
        """
        answers = Acknowledgements(client)
        subscribing = asyncio.create_task(self._subscribe(client))
        reading = asyncio.create_task(self._read_all(client, answers))
        try:
            await asyncio.wait({reading, answers.overdue}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise MqttError(
                    f"reports were not durable within {DURABLE_WITHIN:g} s: asking for them again"
                )
            reading.result()
        finally:
            answers.close()
            for task in (subscribing, reading):
                task.cancel()
            await asyncio.gather(subscribing, reading, return_exceptions=True)

    async def _read_all(self, client: Client, answers: Acknowledgements) -> None:
        async for message in client.messages:
            batch = [message]
            while len(client.messages) and len(batch) < BATCH:
                batch.append(await anext(client.messages))
            self._pass_on(batch, answers)

    async def _subscribe(self, client: Client) -> None:
        try:
            codes = await client.subscribe([(topic, 1) for topic in self._topics()])
        except MqttError:
            return  # lost before the answer: the next connection subscribes again
        self._denied = any(_number(code) >= FAILURE for code in codes)
        if self._denied:
            _log.error("mqtt: the broker refuses to let us read the terminals' acks")
        self._ready.set()

    def _pass_on(self, batch: list[Message], answers: Acknowledgements) -> None:
        """Give the reports of a batch to the sink; what is no report is acknowledged and forgotten."""
        reports = [report for message in batch if (report := self._read(message)) is not None]
        done = answers.expect([message.mid for message in batch if message.qos])
        if reports:
            self._sink(reports, done)
        else:
            done()

    def _read(self, message: Message) -> Report | None:
        payload = message.payload if isinstance(message.payload, bytes) else b""
        try:
            return read_report(self._settings, str(message.topic), payload)
        except FrameRefused as refused:
            self._refuse(str(refused))
        except (AddressRefused, ValidationError):
            self._refuse("garbage")
        return None

    def _refuse(self, code: str) -> None:
        self.refused[code] += 1
        if self.refused[code] == 1:
            _log.warning("mqtt: a terminal's message was dropped: %s (told once)", code)


class Acknowledgements:
    """PUBACKs of one connection, sent in the order of the messages (MQTT 3.1.1 section 4.6).

    So a batch that never becomes durable blocks all behind it. Then the connection has to end:
    the broker sends everything again on the next one.

    Attributes:
        overdue: done when a batch has waited :data:`DURABLE_WITHIN`.
    """

    def __init__(self, client: Client) -> None:
        """Begin with nothing to acknowledge."""
        self._paho = client._client  # noqa: SLF001 - aiomqtt has no manual acknowledgement, paho has
        self._waiting: deque[_Expected] = deque()
        self._open = True
        self.overdue: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def expect(self, mids: list[int]) -> _Expected:
        """Return the callback that acknowledges these messages."""
        expected = _Expected(self, mids)
        self._waiting.append(expected)
        expected.timer = asyncio.get_running_loop().call_later(DURABLE_WITHIN, self._late)
        return expected

    def _late(self) -> None:
        if not self.overdue.done():
            self.overdue.set_result(None)

    def settle(self) -> None:
        """Send what is due: a batch waits for the batches before it."""
        while self._open and self._waiting and self._waiting[0].done:
            for mid in self._waiting.popleft().mids:
                self._paho.ack(mid, 1)

    def close(self) -> None:
        """Forget everything: message ids mean nothing on another connection."""
        self._open = False
        for expected in self._waiting:
            expected.forget()
        self._waiting.clear()


class _Expected:
    def __init__(self, owner: Acknowledgements, mids: list[int]) -> None:
        self.mids = mids
        self.done = False
        self.timer: asyncio.TimerHandle | None = None
        self._owner = owner

    def __call__(self) -> None:
        self.done = True
        self.forget()
        self._owner.settle()

    def forget(self) -> None:
        """Let nobody be told that this batch is late."""
        if self.timer is not None:
            self.timer.cancel()


def read_report(settings: MqttSettings, topic: str, payload: bytes) -> Report:
    """Return what a terminal's message says.

    Raises:
        FrameRefused: not signed by this terminal, or an ack of a command that we never gave it.
        channels.base.AddressRefused: the topic names no terminal.
        pydantic.ValidationError: signed, but not what a terminal tells.
    """
    address, _, leaf = topic.removeprefix(f"{settings.prefix}/").rpartition("/")
    check_address(address)
    key = settings.key_of(address)
    if leaf == "status":
        status = Status.model_validate(unseal(key, "status", address, payload))
        # A last will was signed when the terminal connected: its time is not the time of the loss.
        return DeviceState(address, status.online, _when(status.ts) if status.online else None)
    ack = Ack.model_validate(unseal(key, "ack", address, payload))
    delivery = delivery_of(settings.master, address, ack.id)
    if delivery is None:
        raise FrameRefused("foreign")
    return Receipt(
        state=STATES[ack.state],
        ref=ack.id,
        delivery=delivery,
        code=plain_text(ack.code) or ack.state,
        at=_when(ack.ts),
        raw=plain_text(payload.decode("utf-8", "replace")),
    )


def _number(code: Any) -> int:  # noqa: ANN401 - paho gives numbers or ReasonCode, by version
    return int(getattr(code, "value", code))


def _when(ts: Any) -> datetime | None:  # noqa: ANN401 - whatever a terminal's clock says
    """Return a terminal's time; None where its clock was never set or the number is absurd."""
    try:
        at = datetime.fromtimestamp(ts, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return at if at.year >= 2020 else None  # noqa: PLR2004 - a clock without battery begins in 1970
