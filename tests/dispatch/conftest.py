from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.store.database import Database
from tests.dispatch.table import Table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def table(database_url: str) -> AsyncIterator[Table]:
    """An empty database for a release through the real desk."""
    async with Database(database_url, size=8) as database:
        yield Table(database)
