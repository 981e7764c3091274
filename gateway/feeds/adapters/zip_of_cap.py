"""CAP documents in a zip file, as Germany's weather service (DWD) offers them.

Its files named STATUS hold everything that is in force, those named DIFF what has changed. Files are read one
by one and in memory; their names are no paths to anything, and what is no CAP is a finding.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from gateway.feeds.cap_item import cap_item, listed_keys
from gateway.feeds.contract import Adapter, FeedRefused, Reading
from gateway.feeds.document import LARGEST
from gateway.feeds.noted import Noted
from gateway.feeds.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.feeds.document import Document

MOST_FILES = 3000
LARGEST_TOGETHER = 50 * 1024 * 1024
"""Bytes of all files once unpacked, which they are one by one; what is kept of them is bounded by Shelf."""
_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_DIRECTORY_ENTRY = b"PK\x01\x02"
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others may need any amount of memory to unpack."""
_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
"""What zipfile raises for damage, unknown compression and encryption."""


def recognises(document: Document) -> bool:
    """Whether it begins as a zip file."""
    return document.data.startswith(_MAGIC)


def read(document: Document) -> Reading:
    """Read the CAP documents of a zip file; it lists what is in force where its address says STATUS.

    Raises:
        FeedRefused: It is no zip file, is broken, or is more than is unpacked.
    """
    if not recognises(document):
        raise FeedRefused("zip_refused", "the document is no zip file")
    noted, reading = Noted(), Reading("zip")
    shelf = Shelf(reading.items)
    for path, data in _files(document.data, noted):
        shelf.put(cap_item(data, path, noted))
    reading.findings = noted.all()
    if "STATUS" in document.url.upper() and not reading.findings:
        reading.listed = listed_keys(reading.items)
    return reading


def _files(data: bytes, noted: Noted) -> Iterator[tuple[str, bytes]]:
    """Yield the files that can be unpacked, with the places they have in the zip file."""
    left = LARGEST_TOGETHER
    with _opened(data) as archive:
        inside = [info for info in archive.infolist() if not info.is_dir()]
        for number, info in enumerate(inside, 1):
            unpacked = _unpacked(archive, info, min(left, LARGEST))
            if isinstance(unpacked, str):
                noted.add("item_malformed", f"file[{number}]", unpacked)
                continue
            left -= len(unpacked)
            if left < 0:
                raise FeedRefused(
                    "zip_refused", f"the files have more than {LARGEST_TOGETHER} bytes unpacked"
                )
            yield f"file[{number}]", unpacked


def _opened(data: bytes) -> zipfile.ZipFile:
    # Counted before the directory is read, which needs much more memory than it takes up.
    if data.count(_DIRECTORY_ENTRY) > MOST_FILES:
        raise FeedRefused("zip_refused", f"the zip file has more than {MOST_FILES} files")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN:
        raise FeedRefused("zip_refused", "the zip file is broken or cut off") from None


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes | str:
    """Return the bytes of a file, one more than ``most`` at most; or what is wrong with it."""
    if info.compress_type not in _PLAIN or info.flag_bits & _ENCRYPTED:
        return "the file is encrypted, or packed in another way than deflate"
    try:
        with archive.open(info) as file:
            data = file.read(most + 1)
    except _BROKEN:
        return "the file cannot be unpacked"
    return "the file is a zip file itself" if data.startswith(_MAGIC) else data


ADAPTER = Adapter("zip", recognises, read)
