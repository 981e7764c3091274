"""Bodies: decompressed as they arrive, and given up as soon as they are too large."""

from __future__ import annotations

import zlib

from gateway.feeds.fetch.refused import FetchRefused

MOST_MEMBERS = 100
"""Of one gzip body: each costs work and may be empty."""
_GZIP, _ZLIB, _RAW = 31, 15, -15
_ZLIB_METHOD = 8


class Body:
    """Collects a body.

    Args:
        encoding: ``Content-Encoding`` as it came.
        most: bytes after decompression, and before.
    """

    def __init__(self, encoding: str, most: int) -> None:
        """Raise FetchRefused for encodings other than gzip, deflate and identity."""
        self._encoding = encoding.strip().lower().removeprefix("x-")
        if self._encoding not in {"", "identity", "gzip", "deflate"}:
            raise FetchRefused("encoding", "the source answered with a compression that was not asked for")
        self._most = most
        self._received = 0
        self._whole = bytearray()
        self._inflater: zlib._Decompress | None = None
        self._members = 0

    def take(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            FetchRefused: it is too large, or the compression is broken.
        """
        self._received += len(chunk)
        self._bound(self._received)
        if self._encoding in {"", "identity"}:
            self._add(chunk)
            return
        try:
            self._inflate(chunk)
        except zlib.error:
            raise FetchRefused("truncated", "the compression of the answer is broken") from None

    def _inflate(self, chunk: bytes) -> None:
        while chunk:
            if self._inflater is None:
                self._inflater = self._begin(chunk)
            # One byte more than there is room for tells that there is too much, without making it.
            self._add(self._inflater.decompress(chunk, self._most - len(self._whole) + 1))
            chunk = self._inflater.unused_data or self._inflater.unconsumed_tail
            if self._inflater.eof:
                self._inflater = None

    def _begin(self, chunk: bytes) -> zlib._Decompress:
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise FetchRefused("encoding", "the answer is compressed in too many pieces")
        if self._encoding == "gzip":
            return zlib.decompressobj(_GZIP)
        # Some servers mean zlib by "deflate", as RFC 9110 does, and some the bare format.
        return zlib.decompressobj(_ZLIB if chunk[0] & 0x0F == _ZLIB_METHOD else _RAW)

    def _add(self, data: bytes) -> None:
        self._bound(len(self._whole) + len(data))
        self._whole += data

    def _bound(self, size: int) -> None:
        if size > self._most:
            raise FetchRefused("too_large", f"the answer has more than {self._most // 2**20} MB")

    def end(self) -> bytes:
        """Return the whole body; raises FetchRefused where the compression has not come to its end."""
        if self._inflater is not None:
            raise FetchRefused("truncated", "the answer ends in the middle of its compression")
        return bytes(self._whole)
