"""A row of a file, and how large a file may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class FileRefused(ValueError):
    """A file cannot be read as a whole; the text names it, the reason and the way out."""


class Limits(NamedTuple):
    """How large a file may be."""

    rows: int = 300_000
    megabytes: int = 64
    unpacked_megabytes: int = 1024
    """Of everything inside an XLSX file, which is a ZIP archive."""


class Line(NamedTuple):
    """One row; ``fault`` says why it could not be read."""

    number: int
    """As a spreadsheet or an editor counts, from 1."""
    cells: Sequence[str]
    fault: str = ""
