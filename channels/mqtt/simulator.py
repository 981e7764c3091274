"""A broker with loudspeakers on it, on a loopback port: what they read out is in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
import zlib
from typing import TYPE_CHECKING, Any, Final

import aiomqtt

from channels.base import LedgerEntry, Simulator
from channels.mqtt.broker import ScriptedBroker
from channels.mqtt.terminal import Terminal, Verdict, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USER: Final = "tongda-simulated"
TURNS: Final = 50
"""Publications of the terminals that are open at one time."""
TICK: Final = 0.1
"""Seconds between two looks at which terminals are on line."""


class MqttSimulator(Simulator):
    """Plays the broker and every terminal that is spoken to; attributes may be changed while it runs.

    The terminals share one connection, so hundreds of them cost no more than one. They
    check signature, expiry, counter and copies as :class:`channels.mqtt.terminal.Terminal` does.
    A terminal that goes off line opens a connection of its own with its last will and drops it.

    Attributes:
        latency: seconds before the broker answers a command.
        hang: the broker reads commands, and neither answers them nor passes them on.
        silent_share: share of commands that the broker takes and never answers.
        cut_every: the broker drops the sender's connection at every so-manieth command; 0 never.
        terminals: addresses that tell ``online`` before anybody speaks to them.
        offline: addresses that are off line, and ``offline_share`` of all others;
            commands to them wait and are judged when they come back.
        refuse_share: share of terminals that answer ``failed`` and play nothing.
        ack_delay: seconds before a terminal's first ack.
        ack_spread: seconds over which acks are strewn, so that they come in another order.
        play_s: seconds from ``playing`` to ``done``.
        duplicate_acks: how many more times every ack is sent.
        drop_ack_share: share of terminals whose acks are all lost.
        forged_acks: also send, for every command, unsigned and wrongly signed ``done`` acks.
        peak: the most commands that the broker held unanswered at one time.
        acknowledged: acks of terminals that the listener has acknowledged to the broker.
    """

    def __init__(self) -> None:
        """Play a healthy broker and healthy terminals until told otherwise."""
        self.latency = 0.0
        self.hang = False
        self.silent_share = 0.0
        self.cut_every = 0
        self.terminals: list[str] = []
        self.offline: list[str] = []
        self.offline_share = 0.0
        self.refuse_share = 0.0
        self.ack_delay = 0.0
        self.ack_spread = 0.0
        self.play_s = 0.02
        self.duplicate_acks = 0
        self.drop_ack_share = 0.0
        self.forged_acks = False
        self.peak = 0
        self.acknowledged = 0
        self.known: dict[str, Terminal] = {}
        self._ledger: list[LedgerEntry] = []
        self._commands = self._handled = self._open = 0
        self._port = 0
        self._password = secrets.token_hex(16)
        self._fleet_key = secrets.token_hex(32)
        self._broker: ScriptedBroker | None = None
        self._fleet: aiomqtt.Client | None = None
        self._running: list[asyncio.Task[None]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._turns = asyncio.Semaphore(TURNS)

    # Simulator -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the broker on a free port (the same one after a stop) and put the terminals on it."""
        self._broker = ScriptedBroker(self, self._port, USER, self._password)
        await self._broker.start()
        self._port = self._broker.port
        self._fleet = self._client("simulated-fleet")
        await self._fleet.__aenter__()
        await self._fleet.subscribe(_topic("+/+", "cmd"), qos=1)
        self._running = [asyncio.create_task(self._hear(self._fleet)), asyncio.create_task(self._watch())]

    async def stop(self) -> None:
        """Close every socket; what the broker kept is gone, what the terminals know stays."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        tasks, self._running = [*self._running, *self._sending], []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        fleet, self._fleet = self._fleet, None
        if fleet is not None:
            with contextlib.suppress(aiomqtt.MqttError):
                await fleet.__aexit__(None, None, None)
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()

    def settings(self) -> dict[str, Any]:
        """Return the route settings that lead here."""
        return {
            "host": "127.0.0.1",
            "port": self._port,
            "tls": False,
            "username": USER,
            "password": self._password,
            "fleet_key": self._fleet_key,
        }

    @property
    def ledger(self) -> Sequence[LedgerEntry]:
        """What was read out in the villages, in order."""
        return self._ledger

    @property
    def settled(self) -> bool:
        """Whether the terminals have judged every command that the broker took."""
        return self._handled >= self._commands

    def stats(self) -> dict[str, int]:
        """Return what a test in another process waits for."""
        return {
            "ledger": len(self._ledger),
            "commands": self._commands,
            "judged": self._handled,
            "refused": sum(terminal.refused.total() for terminal in self.known.values()),
            "acknowledged": self.acknowledged,
            "terminals": len(self.known),
            "offline": sum(terminal.offline for terminal in self.known.values()),
            "peak": self.peak,
        }

    # What the broker asks ------------------------------------------------------------------

    def command_comes(self) -> str:
        """Count a command in; return what the broker does with it."""
        self._open += 1
        self.peak = max(self.peak, self._open)
        if self.hang:
            return "hang"
        self._commands += 1
        if self.cut_every and self._commands % self.cut_every == 0:
            return "cut"
        return "silent" if _share(f"silent {self._commands}") < self.silent_share else "answer"

    def command_ends(self) -> None:
        """Count a command out."""
        self._open -= 1

    # Terminals -----------------------------------------------------------------------------

    def terminal(self, address: str) -> Terminal:
        """Return the terminal at an address; it comes into being when it is first spoken to."""
        if address not in self.known:
            self.known[address] = Terminal(address, key_of(self._fleet_key, address))
        return self.known[address]

    async def _hear(self, fleet: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in fleet.messages:
                address = "/".join(str(message.topic).split("/")[1:3])
                frame = message.payload if isinstance(message.payload, bytes) else b""
                terminal = self.terminal(address)
                if self._is_offline(address):
                    terminal.inbox.append(frame)
                else:
                    self._obey(terminal, frame)
                self._handled += 1

    def _obey(self, terminal: Terminal, frame: bytes) -> None:
        """Let a terminal judge a frame, play it and tell."""
        verdict = terminal.receive(frame, time.time())
        order = verdict.order
        if order is None:
            return  # a frame that is not genuine gets no answer
        if self.forged_acks:
            self._forge(terminal, order.id)
        if verdict.code == "again":
            self._later(self.ack_delay, terminal, order.id, terminal.state(order.id))
        elif verdict.code != "play" or _share(terminal.address) < self.refuse_share:
            self._later(self.ack_delay, terminal, order.id, "failed", _reason(verdict))
        else:
            self._ledger.append(LedgerEntry(terminal.address, order.text, order.id, time.monotonic()))
            for pause, state in ((0.0, "queued"), (0.0, "playing"), (self.play_s, "done")):
                self._later(self.ack_delay + pause, terminal, order.id, state)

    def _later(self, pause: float, terminal: Terminal, ref: str, state: str, code: str = "") -> None:
        """Tell a state after a pause, as often as the script says."""

        def tell() -> None:
            frame = terminal.ack(ref, state, time.time(), code)
            if _share(f"ack {terminal.address}") >= self.drop_ack_share:
                for _ in range(1 + self.duplicate_acks):
                    self._publish(terminal, "ack", frame)

        pause += self.ack_spread * _share(f"strewn {ref} {state}")
        if pause:
            self._after(pause, tell)
        else:
            tell()

    def _after(self, pause: float, call: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            call()

        timer = asyncio.get_running_loop().call_later(pause, run)
        self._timers.add(timer)

    async def _tell(self, fleet: aiomqtt.Client, topic: str, frame: bytes, *, retain: bool) -> None:
        # In turn, and few at a time: paho walks through all open publications at every answer.
        async with self._turns:
            with contextlib.suppress(aiomqtt.MqttError):
                await fleet.publish(topic, frame, qos=1, retain=retain)

    def _forge(self, terminal: Terminal, ref: str) -> None:
        stranger = Terminal(terminal.address, secrets.token_bytes(32))
        self._publish(terminal, "ack", stranger.ack(ref, "done", time.time()))
        self._publish(terminal, "ack", f'{{"id":"{ref}","state":"done","ts":0}}'.encode())

    def _publish(self, terminal: Terminal, leaf: str, frame: bytes, *, retain: bool = False) -> None:
        if self._fleet is None:
            return
        topic = _topic(terminal.address, leaf)
        task = asyncio.create_task(self._tell(self._fleet, topic, frame, retain=retain))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    # On line and off line ------------------------------------------------------------------

    def _is_offline(self, address: str) -> bool:
        return address in self.offline or _share(f"offline {address}") < self.offline_share

    async def _watch(self) -> None:
        """Notice which terminals are new, go off line or come back."""
        seen: set[str] = set()
        while True:
            for address in {*self.terminals, *self.known}:
                terminal = self.terminal(address)
                if address in seen and terminal.offline == self._is_offline(address):
                    continue
                seen.add(address)
                terminal.offline = self._is_offline(address)
                await (self._lose(terminal) if terminal.offline else self._welcome(terminal))
            await asyncio.sleep(TICK)

    async def _welcome(self, terminal: Terminal) -> None:
        self._publish(terminal, "status", terminal.status(online=True, now=time.time()), retain=True)
        waiting, terminal.inbox = terminal.inbox, []
        for frame in waiting:
            self._obey(terminal, frame)

    async def _lose(self, terminal: Terminal) -> None:
        """Connect as this terminal with its last will and fall away, so that the broker tells it."""
        will = aiomqtt.Will(
            _topic(terminal.address, "status"),
            terminal.status(online=False, now=time.time()),
            qos=1,
            retain=True,
        )
        client = self._client(f"simulated-{zlib.crc32(terminal.address.encode()):08x}", will)
        with contextlib.suppress(aiomqtt.MqttError):
            async with client:
                sock = client._client.socket()  # noqa: SLF001 - aiomqtt leaves politely only
                if isinstance(sock, socket.socket):
                    sock.shutdown(socket.SHUT_RDWR)
                async for _ in client.messages:
                    pass

    def _client(self, identifier: str, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
        client = aiomqtt.Client(
            "127.0.0.1",
            self._port,
            username=USER,
            password=self._password,
            identifier=identifier,
            will=will,
            max_inflight_messages=65_000,
        )
        client.pending_calls_threshold = 65_000
        return client


def _topic(address: str, leaf: str) -> str:
    return f"ews/{address}/{leaf}"


def _reason(verdict: Verdict) -> str:
    return "refused" if verdict.code == "play" else verdict.code


def _share(text: str) -> float:
    """Return a number from 0 to 1 that is always the same for the same text."""
    return zlib.crc32(text.encode()) / 2**32


SIMULATOR = MqttSimulator
