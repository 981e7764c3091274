"""Files that are named on the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def shown(path: Path) -> str:
    """Return a path as text: a name may not be UTF-8, and then neither JSON nor a terminal takes it."""
    return os.fsencode(path).decode("utf-8", "replace")


def read_at_most(path: Path, most: int) -> bytes:
    """Return the first bytes of a file, one more than ``most`` where it is larger, however large it is.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return file.read(most + 1)
