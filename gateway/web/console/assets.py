"""Style sheets, scripts, fonts and maps, under addresses that change with their bytes."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.share import share
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.web.console.visit import Visit

routes = Routes()

FOLDERS = ("console/assets", "vendor")
"""Below ``templates/web``; nothing else is served."""
KEPT = "public, max-age=31536000, immutable"
PACKED = (".css", ".js")
"""What is sent packed to browsers that take gzip; fonts and images are packed already."""
_TYPES = {".woff2": "font/woff2", ".geojson": "application/geo+json", ".js": "text/javascript"}


@cache
def _files() -> dict[str, Path]:
    """Return every file that is served, by its name below ``templates/web``."""
    root = share("templates/web")
    found = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path for path in found}


@cache
def _hash(name: str) -> str:
    return hashlib.sha256(_files()[name].read_bytes()).hexdigest()[:12]


@cache
def _packed(name: str) -> bytes:
    path = _files()[name]
    beside = path.with_name(f"{path.name}.gz")
    return beside.read_bytes() if beside.is_file() else gzip.compress(path.read_bytes(), mtime=0)


def address(name: str) -> str:
    """Return the address of a file, e.g. of ``console/assets/console.css``.

    A file that a style sheet names by a relative address (fonts, images) is found beside it: the hash of
    the style sheet stands before both.

    Raises:
        KeyError: there is no such file.
    """
    return f"/desk/assets/{_hash(name)}/{name}"


@routes.get(r"/assets/{hash:[0-9a-f]{12}}/{name:[0-9A-Za-z_./-]+}", "anyone")
async def give(visit: Visit) -> web.StreamResponse:
    """Answer with a file; its bytes never change under this address."""
    name = visit.request.match_info["name"]
    found = _files().get(name)
    if found is None:
        raise web.HTTPNotFound
    suffix = PurePosixPath(found.name).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    headers = {"Content-Type": kind, "Cache-Control": KEPT}
    if suffix not in PACKED:
        return web.FileResponse(found, headers=headers)
    headers["Vary"] = "Accept-Encoding"
    if "gzip" not in visit.request.headers.get("Accept-Encoding", ""):
        return web.Response(body=found.read_bytes(), headers=headers)
    return web.Response(body=_packed(name), headers=headers | {"Content-Encoding": "gzip"})
