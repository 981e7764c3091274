"""The broker that the simulator brings: amqtt, with the faults that matter here mended.

- amqtt 0.12.1 answers a QoS 1 publication before it has taken it out of its sender's session,
  and forgets it when the sender leaves at once. :meth:`ScriptedBroker._take` takes it first.
- It forgets a QoS 1 message to a kept session when the connection ends, or 5 s pass, before
  the PUBACK. A broker must keep it (MQTT 3.1.1 section 4.4), and our listener relies on
  that, so :meth:`ScriptedBroker._deliver` puts it back.
- It keeps no session of an anonymous client, so clients log in (:class:`Accounts`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from amqtt.broker import Broker, RetainedApplicationMessage
from amqtt.errors import AMQTTError
from amqtt.mqtt.puback import PubackPacket
from amqtt.plugins.base import BaseAuthPlugin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LISTENER: Final = "default"


class Script(Protocol):
    """What the broker asks its simulator."""

    latency: float
    acknowledged: int

    def command_comes(self) -> str:
        """Count a command in; return ``answer``, ``silent``, ``cut`` or ``hang``."""

    def command_ends(self) -> None:
        """Count an answered (or never to be answered) command out."""


class Accounts(BaseAuthPlugin):  # type: ignore[misc] # amqtt has no types
    """One user name and password for everybody."""

    @dataclasses.dataclass
    class Config:
        """As in the broker's configuration."""

        username: str = ""
        password: str = ""

    async def authenticate(self, *, session: Any) -> bool:  # noqa: ANN401 - amqtt's session has no types
        """Tell whether a client may come in."""
        return (session.username, session.password) == (self.config.username, self.config.password)


class ScriptedBroker(Broker):  # type: ignore[misc] # amqtt has no types
    """amqtt's broker with a script for what becomes of commands."""

    def __init__(self, script: Script, port: int, username: str, password: str) -> None:
        """Prepare to listen on a loopback port (0: a free one)."""
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        account = {"username": username, "password": password}
        super().__init__(
            {
                "listeners": {LISTENER: {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                "plugins": {f"{__name__}.{Accounts.__name__}": account},
            }
        )
        self._script = script
        self._serving: set[asyncio.Task[Any]] = set()

    @property
    def port(self) -> int:
        """The port that was found."""
        return int(self._servers[LISTENER].instance.sockets[0].getsockname()[1])

    async def stream_connected(self, reader: Any, writer: asyncio.StreamWriter, listener_name: str) -> None:  # noqa: ANN401
        """Serve one connection to its end, and close its socket, which amqtt at times forgets."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            writer.transport.abort()
            self._serving.discard(task)

    async def shutdown(self) -> None:
        """Stop listening and wait until every connection has ended."""
        await super().shutdown()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _handle_client_session(
        self,
        reader: Any,  # noqa: ANN401
        writer: Any,  # noqa: ANN401
        client_session: Any,  # noqa: ANN401
        handler: Any,  # noqa: ANN401
        *rest: Any,  # noqa: ANN401
    ) -> None:
        handler.handle_publish = partial(self._take, handler, handler.handle_publish)
        handler.mqtt_publish = partial(self._deliver, client_session, handler.mqtt_publish)
        await super()._handle_client_session(reader, writer, client_session, handler, *rest)

    async def _take(
        self,
        handler: Any,  # noqa: ANN401
        usual: Callable[[Any], Awaitable[None]],
        packet: Any,  # noqa: ANN401
    ) -> None:
        """Take a publication for good before it is answered; commands are answered as the script says."""
        if packet.qos != 1:
            await usual(packet)
            return
        is_command = packet.topic_name.endswith("/cmd")
        play = self._script.command_comes() if is_command else "answer"
        try:
            if play == "hang":
                return
            await self._broadcast_message(handler.session, packet.topic_name, packet.data)
            if packet.retain_flag:
                await self.retain_message(handler.session, packet.topic_name, packet.data, packet.qos)
            if play == "cut":
                handler.writer._writer.transport.abort()  # noqa: SLF001 - amqtt closes politely only
            elif play == "answer":
                await asyncio.sleep(self._script.latency if is_command else 0)
                await handler._send_packet(PubackPacket.build(packet.packet_id))  # noqa: SLF001
        finally:
            if is_command:
                self._script.command_ends()

    async def _deliver(
        self,
        session: Any,  # noqa: ANN401
        usual: Callable[..., Awaitable[Any]],
        topic: str,
        data: bytes,
        qos: int,
        **rest: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Send a publication to a subscriber; what a kept session has not acknowledged stays in it."""
        try:
            message = await usual(topic, data, qos, **rest)
        except (asyncio.CancelledError, TimeoutError, OSError, RuntimeError, AMQTTError) as error:
            # uvloop raises RuntimeError where a write meets a connection that has just gone.
            if qos and not session.clean_session:
                session.retained_messages.put_nowait(RetainedApplicationMessage(None, topic, data, qos))
            if isinstance(error, asyncio.CancelledError):
                raise
            return None
        if topic.endswith("/ack"):
            self._script.acknowledged += 1
        return message
