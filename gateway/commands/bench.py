"""``tongda bench``: measure this machine."""

from __future__ import annotations

import os
import shutil
from typing import Annotated, NamedTuple

import orjson
import typer

from gateway.bench import feed as feed_bench
from gateway.bench import sms as sms_bench
from gateway.commands.common import interruptible, told
from gateway.desk.refused import DeskRefused
from gateway.ops.log import setup
from gateway.ops.places import temporary_state_dir
from gateway.ops.services import services
from gateway.store.migrate import upgrade

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measure this machine."""


@app.command()
def sms(
    count: Annotated[int, typer.Option(min=1, max=5_000_000, help="Messages to release.")] = 100_000,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Release one-part SMS through the whole chain to a simulated SMSC, receipts on."""
    setup("warning", "text")
    with interruptible() as interruption, told(RuntimeError, DeskRefused):
        state_dir = temporary_state_dir()
        try:
            with services(state_dir) as found:
                upgrade(found.database_url)
                result = interruption.run(sms_bench.measure(count, workers, state_dir, found))
        finally:
            shutil.rmtree(state_dir, ignore_errors=True)
    _say(result, json=json)


@app.command()
def feed(
    count: Annotated[
        int, typer.Option(min=1, max=2000, help="Alerts in the index, and as many in one feed.")
    ] = 1000,
    all_cores: Annotated[
        bool, typer.Option("--all-cores", help="Let the reading process use every core, not one.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read an index, a large feed beside a stream, and seismic solutions, from sources on this machine."""
    setup("warning", "text")
    with interruptible() as interruption, told(RuntimeError):
        state_dir = temporary_state_dir()
        try:
            with services(state_dir, durable=False) as found:
                upgrade(found.database_url)
                if not all_cores:
                    feed_bench.one_core()
                result = interruption.run(feed_bench.measure(count, state_dir, found))
        finally:
            shutil.rmtree(state_dir, ignore_errors=True)
    _say(result, json=json)


def _say(result: NamedTuple, *, json: bool) -> None:
    if json:
        typer.echo(orjson.dumps(result._asdict()))
        return
    for name, value in result._asdict().items():
        typer.echo(f"{name:18} {value:,}" if isinstance(value, int | float) else f"{name:18} {value}")
    typer.echo(f"{'machine':18} {os.cpu_count()} cores, {_memory_gib()} GiB memory")


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
