"""Keys that nobody gave: made once, kept in the state folder, readable for us alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.ops import ServiceRefused, places

if TYPE_CHECKING:
    from gateway.settings import Settings


def confirm_key(settings: Settings) -> bytes:
    """Return the key that signs confirm links: the one set, else the one kept in the state folder.

    Raises:
        ServiceRefused: the kept key can be read by others or the folder cannot be written.
    """
    if settings.secrets.confirm_key is not None:
        return settings.secrets.confirm_key.get_secret_value().encode()
    return kept_key(settings.state_dir, "confirm_key")


def kept_key(state_dir: Path, name: str) -> bytes:
    """Return the key of that name, making it if it is the first call ever on this state folder.

    Args:
        state_dir: made if absent.
        name: the file's name below ``keys/``.
    """
    path = _path(places.prepare(state_dir), name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        _make(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ServiceRefused(f"{path} can be read by others: chmod 600 {path}")
    return path.read_bytes()


def is_kept(state_dir: Path, name: str) -> bool:
    """Return whether a key of that name was made on this state folder."""
    return _path(state_dir, name).exists()


def _path(state_dir: Path, name: str) -> Path:
    return state_dir / "keys" / name


def _make(path: Path) -> None:
    # Written aside and linked: of two processes that make it at once, both return the first one's.
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        Path(aside).unlink()
