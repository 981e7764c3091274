"""Finds the data files that travel with the program: ``templates/`` and ``config/``."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def share(name: str) -> Path:
    """Return the path of a packaged file or folder.

    Args:
        name: as in the source tree, for example ``config/default.toml``.

    Raises:
        FileNotFoundError: neither the installed package nor the checkout has it.
    """
    for root in (_PACKAGE / "_share", _PACKAGE.parent):
        path = root / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is missing from this installation of tongda; install it again")
