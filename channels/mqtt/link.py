"""One connection to the broker that comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from typing import TYPE_CHECKING, Final

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from channels.base import ChannelDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from channels.mqtt.settings import MqttSettings

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
IN_FLIGHT: Final = 65_000
"""Publications without an answer that paho may hold: as many as there are ids; we keep the window."""

_log = logging.getLogger(__name__)


class Link:
    """Keeps one client connected until it is closed.

    Every connection has a client of its own, so that nothing left over from a lost one is
    sent again behind our back.

    Args:
        settings: the route.
        identifier: the client id.
        clean: False keeps the session (subscriptions, waiting messages) at the broker, and
            leaves it to ``serve`` to acknowledge messages.
        serve: runs for the life of each connection and returns or raises when it is lost.
    """

    def __init__(
        self,
        settings: MqttSettings,
        identifier: str,
        *,
        clean: bool,
        serve: Callable[[aiomqtt.Client], Awaitable[None]],
    ) -> None:
        """Keep the arguments; nothing is connected before :meth:`open`."""
        self.client: aiomqtt.Client | None = None
        self.lost: asyncio.Future[None] | None = None
        self._settings = settings
        self._identifier = identifier
        self._clean = clean
        self._serve = serve
        self._tls: ssl.SSLContext | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; raises :class:`ChannelDown` with the setting to mend."""
        self._tls = self._make_tls()
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep(first), name=f"mqtt {self._identifier}")
        try:
            await first
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect politely; may be repeated."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _keep(self, first: asyncio.Future[None]) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._once(first)
            except Exception as error:  # noqa: BLE001 - whatever it is, the listening must not end
                if not first.done():
                    first.set_exception(self._down(error))
                    return
                known = isinstance(error, (aiomqtt.MqttError, OSError))
                _log.warning(
                    "mqtt: no connection to %s: %s",
                    self._place,
                    _line(error),
                    exc_info=None if known else error,
                )
            if self.lost is not None:
                pause, self.lost = FIRST_PAUSE, None
            # Half of the pause is by chance, so that many workers do not come back at one moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self, first: asyncio.Future[None]) -> None:
        """Connect, serve until the connection is lost, and leave."""
        client = self._make_client()
        await self._connect(client)
        self.client, self.lost = client, asyncio.get_running_loop().create_future()
        if not first.done():
            first.set_result(None)
        try:
            await self._serve(client)
        finally:
            self.client = None
            self.lost.set_result(None)
            with contextlib.suppress(aiomqtt.MqttError):
                await client.__aexit__(None, None, None)

    async def _connect(self, client: aiomqtt.Client) -> None:
        if self._tls is not None:
            await self._shake_hands(self._tls)
        # aiomqtt connects in a thread: left alone there, it would open a socket that nobody closes.
        connecting = asyncio.ensure_future(client.__aenter__())
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            with contextlib.suppress(aiomqtt.MqttError):
                await connecting
                await client.__aexit__(None, None, None)
            raise
        except aiomqtt.MqttError:
            # A broker that took the connection and never answered leaves its socket open,
            # and aiomqtt has no way to give a connection up.
            client._client.disconnect()  # noqa: SLF001
            client._client.loop_write()  # noqa: SLF001
            raise

    async def _shake_hands(self, tls: ssl.SSLContext) -> None:
        """Try TLS once by ourselves: paho leaves the socket of a failed handshake open."""
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                _, writer = await asyncio.open_connection(
                    self._settings.host, self._settings.port, ssl=tls, server_hostname=self._settings.host
                )
        except TimeoutError:
            raise OSError("no answer to the TLS handshake") from None
        writer.transport.abort()

    def _make_client(self) -> aiomqtt.Client:
        settings = self._settings
        client = aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            identifier=self._identifier,
            clean_session=self._clean,
            timeout=settings.connect_timeout,
            keepalive=settings.keepalive,
            max_inflight_messages=IN_FLIGHT,
            tls_context=self._tls,
            logger=_log,
        )
        client.pending_calls_threshold = IN_FLIGHT
        # aiomqtt has no manual acknowledgement, paho has; what waited may come with the CONNACK.
        client._client.manual_ack_set(on=not self._clean)  # noqa: SLF001
        return client

    def _make_tls(self) -> ssl.SSLContext | None:
        settings = self._settings
        if not settings.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=settings.ca_file or None)
            if settings.client_cert:
                context.load_cert_chain(settings.client_cert, settings.client_key or None)
        except (OSError, ssl.SSLError) as error:
            raise ChannelDown(
                f"the TLS files cannot be used ({_line(error)}): check ca_file, client_cert and client_key"
            ) from None
        return context

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _down(self, error: Exception) -> ChannelDown:
        if isinstance(error, MqttConnectError):
            return ChannelDown(
                f"the MQTT broker at {self._place} refused us ({_line(error)}): check username and password"
            )
        return ChannelDown(
            f"the MQTT broker at {self._place} cannot be reached ({_line(error)}): check host, port and tls"
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
