from __future__ import annotations

import asyncio
import shutil
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from gateway.ops.places import temporary_state_dir
from gateway.store import migrate
from tests.conftest import TEMPLATE, execute, run_aside
from tests.faults.harness import House, Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SEED = 20260701


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of our own, since they get killed; with a migrated database to copy from."""
    folder = temporary_state_dir()
    own = Servers(folder)
    own.start()
    run_aside(execute(own.postgres.url, f"CREATE DATABASE {TEMPLATE}"))
    migrate.upgrade(own.postgres.url_of(TEMPLATE))
    yield own
    own.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def house(servers: Servers, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> AsyncIterator[House]:
    """A gateway that a test may break."""
    await asyncio.to_thread(servers.start)  # what an earlier test left dead
    name = f"house_{uuid.uuid4().hex}"
    await execute(servers.postgres.url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")

    def tell(line: str) -> None:
        with capfd.disabled():
            sys.stderr.write(f"\n{line}\n")

    async with House(servers, servers.postgres.url_of(name), tmp_path, SEED, tell) as opened:
        yield opened
    await asyncio.to_thread(servers.start)
    assert servers.valkey.denied() == []
    await execute(servers.postgres.url, f"DROP DATABASE {name} WITH (FORCE)")
