from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=2) as opened:
        yield opened
