"""Logs: one line for each event, as JSON for machines or as text for eyes, fit to be shown around.

Our own code logs through structlog, libraries through :mod:`logging`; both take the same
path, so both are redacted (:mod:`gateway.ops.redaction`). Everything goes to standard error.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

import orjson
import structlog

from gateway.ops.redaction import processor

if TYPE_CHECKING:
    from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

_NOISY = ("aiohttp.access", "aiosqlite", "amqtt", "asyncio", "mail.log", "rq.worker", "transitions")
"""Loggers of libraries that tell about every message: they get to speak from warnings on."""


def setup(level: str = "info", style: str = "json", stream: TextIO | None = None) -> None:
    """Send every log line of this process, ours and the libraries', one way.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        style: ``json``, or ``text`` for a terminal.
        stream: where to; standard error unless told.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        _flatten_exception,
        processor(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _RENDERERS[style]],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
    logging.captureWarnings(capture=True)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; call it with an event in plain words and values by name."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _flatten_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Turn ``exc_info`` into its chain of causes and the places it came by: never local variables."""
    info: ExcInfo | bool | BaseException | None = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else None
    if info is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = _causes(error)
        event["at"] = _frames(error)
    event.pop("exc_text", None)
    stack = event.pop("stack_info", None)
    if stack and stack is not True:
        event["stack"] = stack
    return event


def _causes(error: BaseException) -> str:
    words: list[str] = []
    seen: set[int] = set()
    step: BaseException | None = error
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        words.append(f"{type(step).__name__}: {step}")
        step = step.__cause__ or (None if step.__suppress_context__ else step.__context__)
    return " <- ".join(words)


def _frames(error: BaseException) -> list[str]:
    trace, frames = error.__traceback__, []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(_first(event, "timestamp", "level", "logger", "event"), default=str).decode()


def _text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    rest = dict(event)
    head = [str(rest.pop(name, "")) for name in ("timestamp", "level", "event")]
    rest.pop("logger", None)
    return f"{head[0][11:19]} {head[1]:<7} {head[2]}" + "".join(
        f"  {name}={value}" for name, value in rest.items()
    )


def _first(event: EventDict, *names: str) -> dict[str, Any]:
    return {name: event[name] for name in names if name in event} | dict(event)


_RENDERERS: dict[str, Processor] = {"json": _json, "text": _text}
