"""Bring a database to the schema this version needs."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config

HERE = Path(__file__).parent


def config(url: str) -> Config:
    """Return Alembic's configuration for the database at ``url`` (``postgresql://...``)."""
    settings = Config()
    settings.set_main_option("script_location", str(HERE / "migrations"))
    settings.attributes["url"] = url
    return settings


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database; safe to call at every start and from several processes at once."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        command.upgrade(config(url), revision)
        return
    thread = threading.Thread(target=command.upgrade, args=(config(url), revision))
    thread.start()
    thread.join()
