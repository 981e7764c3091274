"""``tongda worker QUEUE``: one process that sends the batches of one queue."""

from __future__ import annotations

import signal
import threading
from functools import partial
from typing import Annotated

import structlog
import typer

from channels.base import ChannelDown
from gateway.commands.common import log_as_set, serving, told
from gateway.dispatch.engine import EngineThread
from gateway.dispatch.queues import serve
from gateway.settings import LANES, Settings, SettingsRefused

Queue = Annotated[str, typer.Argument(help="{channel}.{lane}, for example sms.urgent.")]


def worker(queue: Queue) -> None:
    """Send until SIGTERM, then let what has left be answered and recorded."""
    stopping = threading.Event()
    with told(ChannelDown), serving() as settings:
        log_as_set(settings)
        check_queue(settings, queue)
        structlog.contextvars.bind_contextvars(queue=queue)
        for which in (signal.SIGTERM, signal.SIGINT):
            signal.signal(which, lambda *_: stopping.set())
        with EngineThread(settings, queue) as engine:
            serve(queue, str(settings.redis_url), partial(engine.take, stopping=stopping), stopping)


def check_queue(settings: Settings, queue: str) -> None:
    """Refuse a queue that no channel of the settings has."""
    if queue not in settings.worker_counts():
        channel, _, lane = queue.partition(".")
        known = ", ".join(settings.worker_counts()) or f"none; set channels.{channel or 'sms'}.live"
        why = f"no lane {lane!r} (one of {', '.join(LANES)})" if lane not in LANES else "no such queue"
        raise SettingsRefused(f"{queue!r}: {why}; the queues of the settings are: {known}")
