"""Real services for the tests: one PostgreSQL and one Valkey for each pytest process."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import redis
from hypothesis import HealthCheck, settings

from gateway.ops.places import temporary_state_dir
from gateway.ops.postgres import EmbeddedPostgres
from tests.redis_user import NarrowValkey

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
TEMPLATE = "tongda_template"

# How long an example takes is the machine's affair. One seed makes a red run red for everybody;
# `pytest --hypothesis-profile search` looks further.
settings.register_profile(
    "tongda", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("search", settings.get_profile("tongda"), derandomize=False, max_examples=1000)
settings.load_profile("tongda")


def run_aside(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine in a thread of its own, so that the test's event loop is not disturbed."""
    failures: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(work)
        except Exception as error:  # noqa: BLE001 - raised again by the caller
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def state_dir() -> Iterator[Path]:
    """A state folder for this pytest process (each xdist worker is one)."""
    folder = temporary_state_dir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(state_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The running cluster. Tests that kill one start their own."""
    server = EmbeddedPostgres(state_dir, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres: EmbeddedPostgres) -> str:
    """An empty database of the cluster, for tests that want PostgreSQL and none of our tables."""
    return postgres.url


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    """The name of a database with all migrations applied, to copy from."""
    run_aside(execute(postgres.url, f"CREATE DATABASE {TEMPLATE}"))
    if importlib.util.find_spec("gateway.store.migrate"):
        from gateway.store import migrate

        migrate.upgrade(postgres.url_of(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """A database with our tables for this test alone; dropped afterwards, open sessions or not."""
    name = f"test_{uuid.uuid4().hex}"
    run_aside(execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {template_database}"))
    yield postgres.url_of(name)
    run_aside(execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def valkey(state_dir: Path) -> Iterator[NarrowValkey]:
    """The running Valkey. Tests that kill one start their own."""
    server = NarrowValkey(state_dir, durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_owner_url(valkey: NarrowValkey) -> str:
    """An empty Valkey for this test alone, as its owner: to list keys, to empty it, to play faults."""
    with redis.Redis.from_url(valkey.url) as owner:
        owner.flushall()
        owner.acl_log_reset()
    return valkey.url


@pytest.fixture
def redis_url(redis_owner_url: str, valkey: NarrowValkey) -> Iterator[str]:
    """The same Valkey as the narrow user of docs/architecture.md, under whom all that is ours has to work.

    What Redis denied fails the test, though the code that asked took it for a Redis that is away.
    """
    yield valkey.narrow_url
    assert valkey.denied() == []


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real and broken CAP files; lies beside the checkout and is not part of it."""
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside the checkout: ../shared/corpus is needed for this test")
    return CORPUS
