"""Run a provider simulator in a process of its own: ``python -m channels.simulate KIND``.

Prints one JSON line ``{"settings": {...}}`` when the simulator listens, then obeys JSON lines on
standard input, each answered by one line on standard output:

- ``{"set": {"latency": 0.2}}`` changes script attributes -> ``{"set": ["latency"]}``
- ``{"dump": "path"}`` writes the ledger as JSON lines -> ``{"dumped": 3}``
- ``{"stats": true}`` -> ``{"stats": {...}}``
- ``{"call": ["reply", "8619900000001", "1"]}`` calls a method of the simulator -> ``{"called": "reply"}``

It ends with the end of its input or with SIGTERM; ``--ledger FILE`` writes the ledger then.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import inspect
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from channels import base

if TYPE_CHECKING:
    from collections.abc import Sequence


class BadCommand(ValueError):
    """A command line or an input line that cannot be obeyed; the text says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to end; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m channels.simulate", description="Play a provider.")
    parser.add_argument("kind", choices=base.KINDS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", dest="script")
    parser.add_argument("--ledger", type=Path, help="write the ledger here at the end")
    options = parser.parse_args(arguments)
    try:
        simulator = base.simulator(options.kind)()
        for pair in options.script:
            name, _, value = pair.partition("=")
            change(simulator, {name: _json(value)})
    except BadCommand as error:
        parser.error(str(error))
    with contextlib.suppress(KeyboardInterrupt):
        _runner()(_serve(simulator, options.ledger))
    return 0


def _runner() -> Any:  # noqa: ANN401 - asyncio.run or its twin
    try:
        import uvloop  # noqa: PLC0415 - absent where it has no wheel
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _serve(simulator: base.Simulator, ledger: Path | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await simulator.start()
    # A ledger of a million rows holds no cycles: looking for some would halve the speed.
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    _say({"settings": simulator.settings()})
    reader = asyncio.create_task(_obey(simulator, stop))
    await stop.wait()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    if ledger is not None:
        dump(simulator, ledger)
    await simulator.stop()


async def _obey(simulator: base.Simulator, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            try:
                _say(await obey(simulator, _json(line)))
            except (BadCommand, OSError) as error:
                _say({"error": str(error)})
    finally:
        stop.set()
        transport.close()


async def obey(simulator: base.Simulator, command: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Do what one input line asks and return the answer; raises :class:`BadCommand`."""
    match command:
        case {"set": dict(script)}:
            return {"set": change(simulator, script)}
        case {"dump": str(path)}:
            return {"dumped": dump(simulator, Path(path))}
        case {"stats": _}:
            stats = getattr(simulator, "stats", None)
            return {"stats": stats() if stats else {"ledger": len(simulator.ledger)}}
        case {"call": [str(name), *arguments]} if not name.startswith("_") and hasattr(simulator, name):
            result = getattr(simulator, name)(*arguments)
            if inspect.isawaitable(result):
                await result
            return {"called": name}
    raise BadCommand('unknown command: use {"set"}, {"dump"}, {"stats"} or {"call"}')


def change(simulator: base.Simulator, script: dict[str, Any]) -> list[str]:
    """Give script attributes their values and return their names."""
    for name in script:
        if not _is_script(simulator, name):
            raise BadCommand(f"the simulator has no script attribute {name!r}")
    for name, value in script.items():
        setattr(simulator, name, value)
    return list(script)


def _is_script(simulator: base.Simulator, name: str) -> bool:
    computed = isinstance(getattr(type(simulator), name, None), property)
    known = not name.startswith("_") and hasattr(simulator, name)
    return known and not computed and not callable(getattr(simulator, name))


def dump(simulator: base.Simulator, path: Path) -> int:
    """Write the ledger as JSON lines and return their number."""
    entries = list(simulator.ledger)
    with path.open("wb") as file:
        file.writelines(orjson.dumps(entry._asdict()) + b"\n" for entry in entries)
    return len(entries)


def _json(line: str | bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(line)
    except ValueError:
        raise BadCommand(f"this is no JSON: {line!r}") from None


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
