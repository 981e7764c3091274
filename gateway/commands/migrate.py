"""``tongda migrate``: bring the database to the schema of this version."""

from __future__ import annotations

from gateway.commands.common import serving, told
from gateway.store.migrate import upgrade


def migrate() -> None:
    """Migrate, whoever runs the database; nothing happens where it is at the newest schema."""
    with told(), serving() as settings:
        upgrade(str(settings.database_url))
