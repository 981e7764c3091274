"""Bring scripts, style sheets and fonts of others into ``templates/web/vendor``, and prove them whole.

``python -m gateway.ops.vendor_assets`` fetches the packages of :data:`PACKAGES` by ``npm pack``, checks each
archive against the integrity that its ``lock.json`` holds, unpacks the files that are used and writes their
hashes down. A version that is not locked yet is taken on npm's word and locked. ``--check`` fetches nothing:
it compares the committed files with their locks, as the tests do. Nobody else needs npm.
``--sbom FILE`` fetches nothing either: it adds what lies here to a bill of materials of CycloneDX.
"""

from __future__ import annotations

import base64
import fnmatch
import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from gateway.share import share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LOCK = "lock.json"
ENTRY = "entry.js"
"""What is built from parts of a package, written by us and kept beside the result."""


class Package(NamedTuple):
    """One package of the registry."""

    name: str
    version: str
    licence: str
    files: Mapping[str, str]
    """Pattern in the archive -> where it goes, below the folder; one that ends with ``/`` is a folder."""


class Folder(NamedTuple):
    """One folder of ``templates/web/vendor``."""

    name: str
    package: Package
    parts: Sequence[Package] = ()
    """What the package is built with."""
    built: str = ""
    """Name of the file that is built from :data:`ENTRY`, if any."""


PACKAGES = (
    Folder(
        "htmx",
        Package(*("htmx.org", "4.0.1", "0BSD"), {"LICENSE": "LICENSE", "dist/htmx.min.js": "htmx.min.js"}),
    ),
    Folder(
        "leaflet",
        Package(
            *("leaflet", "1.9.4", "BSD-2-Clause"),
            {
                "LICENSE": "LICENSE",
                "dist/leaflet.js": "leaflet.js",
                "dist/leaflet.css": "leaflet.css",
                "dist/images/*": "images/",
            },
        ),
    ),
    Folder(
        "leaflet-geoman",
        Package(
            *("@geoman-io/leaflet-geoman-free", "2.20.2", "MIT"),
            {
                "LICENSE": "LICENSE",
                "dist/leaflet-geoman.min.js": "leaflet-geoman.min.js",
                "dist/leaflet-geoman.css": "leaflet-geoman.css",
            },
        ),
    ),
    Folder(
        "noto-sans-sc",
        Package(
            *("@fontsource-variable/noto-sans-sc", "5.3.1", "OFL-1.1"),
            {"LICENSE": "LICENSE", "index.css": "index.css", "files/*-wght-normal.woff2": "files/"},
        ),
    ),
    Folder(
        "echarts",
        Package(*("echarts", "6.1.0", "Apache-2.0"), {"LICENSE": "LICENSE", "NOTICE": "NOTICE"}),
        (
            Package("zrender", "6.1.0", "BSD-3-Clause", {"LICENSE": "LICENSE.zrender"}),
            Package("tslib", "2.3.0", "0BSD", {"LICENSE.txt": "LICENSE.tslib"}),
            Package("@esbuild/linux-x64", "0.28.2", "MIT", {}),
        ),
        "echarts.min.js",
    ),
)
"""What is fetched; the folder ``swagger-ui`` has a lock of the same form and is only checked."""


class VendorError(Exception):
    """A package or file is not what its lock says; the text names it."""


def vendor() -> Path:
    """Return the folder of all that is not ours."""
    return share("templates/web/vendor")


def integrity(data: bytes) -> str:
    """Return the SHA-512 of bytes as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def faults(root: Path) -> Iterator[str]:
    """Yield a sentence for each file below ``root`` that no lock knows or that is not as locked."""
    for folder in sorted(root.iterdir()):
        lock = folder / LOCK
        if not lock.is_file():
            yield f"{folder.name} has no {LOCK}"
            continue
        locked: dict[str, str] = json.loads(lock.read_bytes())["files"]
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {LOCK}
        yield from (f"{folder.name}/{name} is in no lock" for name in sorted(there - locked.keys()))
        yield from (f"{folder.name}/{name} is missing" for name in sorted(locked.keys() - there))
        for name in sorted(there & locked.keys()):
            if integrity((folder / name).read_bytes()) != locked[name]:
                yield f"{folder.name}/{name} is not as it was locked"


def fetch(folder: Folder, root: Path) -> None:
    """Fetch a folder's packages, put its files in place and lock them; raises :class:`VendorError`."""
    place = root / folder.name
    known = _known(place)
    with TemporaryDirectory() as work:
        modules = Path(work) / "node_modules"
        found: dict[str, str] = {}
        for package in (folder.package, *folder.parts):
            archive = _pack(package, Path(work))
            found[package.name] = _agreed(package, integrity(archive), known)
            _unpack(archive, modules / package.name)
            _copy(package, modules / package.name, place)
        if folder.built:
            _build(place, folder.built, modules)
    _write_lock(folder, place, found)


def _known(place: Path) -> dict[str, str]:
    """Return ``name version`` -> integrity of what is locked already."""
    if not (place / LOCK).is_file():
        return {}
    lock = json.loads((place / LOCK).read_bytes())
    return {
        f"{one['name']} {one['version']}": one["integrity"] for one in (lock, *lock.get("built_with", ()))
    }


def _agreed(package: Package, found: str, known: Mapping[str, str]) -> str:
    if known.get(f"{package.name} {package.version}", found) != found:
        raise VendorError(
            f"{package.name} {package.version} is not the archive that was locked: take none of it"
        )
    return found


def _pack(package: Package, work: Path) -> bytes:
    command = ["npm", "pack", f"{package.name}@{package.version}", "--json", "--silent", "--ignore-scripts"]
    try:
        done = subprocess.run(command, cwd=work, check=True, capture_output=True)  # noqa: S603 - names of ours
        told = json.loads(done.stdout)
    except FileNotFoundError:
        raise VendorError("npm is missing: install Node.js; the committed files need none") from None
    except (subprocess.CalledProcessError, ValueError):
        raise VendorError(f"npm could not fetch {package.name} {package.version}") from None
    one = next(iter(told.values())) if isinstance(told, dict) else told[0]
    archive = (work / str(one["filename"])).read_bytes()
    if integrity(archive) != one["integrity"]:
        raise VendorError(f"{package.name} {package.version} was damaged on its way: try again")
    return archive


def _unpack(archive: bytes, target: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            if member.isfile() and name and ".." not in name.split("/"):
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                reader = tar.extractfile(member)
                assert reader is not None
                path.write_bytes(reader.read())
                path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _copy(package: Package, source: Path, place: Path) -> None:
    names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    for pattern, goal in package.files.items():
        matching = fnmatch.filter(names, pattern)
        if not matching:
            raise VendorError(f"{package.name} {package.version} has no {pattern}")
        for name in matching:
            path = place / (goal + Path(name).name if goal.endswith("/") else goal)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((source / name).read_bytes())


def _build(place: Path, built: str, modules: Path) -> None:
    """Bundle what :data:`ENTRY` imports, and pack it for browsers that take gzip."""
    # Modules are found upwards from the file that imports them.
    entry = modules.parent / ENTRY
    entry.write_bytes((place / ENTRY).read_bytes())
    esbuild = modules / "@esbuild" / "linux-x64" / "bin" / "esbuild"
    options = ("--bundle", "--minify", "--format=iife", "--global-name=echarts", "--target=es2020")
    more = ("--legal-comments=none", "--charset=utf8", "--define:process.env.NODE_ENV='production'")
    command = [str(esbuild), str(entry), *options, *more, f"--outfile={place / built}"]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a program that was locked
    except (OSError, subprocess.CalledProcessError):
        raise VendorError(f"{place.name}: esbuild failed; it runs on Linux x86-64 only") from None
    (place / f"{built}.gz").write_bytes(gzip.compress((place / built).read_bytes(), 9, mtime=0))


def _write_lock(folder: Folder, place: Path, found: Mapping[str, str]) -> None:
    def told(package: Package) -> dict[str, str]:
        return {
            "name": package.name,
            "version": package.version,
            "license": package.licence,
            "integrity": found[package.name],
        }

    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    lock: dict[str, Any] = told(folder.package)
    if folder.parts:
        lock["built_with"] = [told(part) for part in folder.parts]
    lock["files"] = {name: integrity((place / name).read_bytes()) for name in names if name != LOCK}
    (place / LOCK).write_text(json.dumps(lock, indent=2) + "\n", encoding="utf-8")


def components(root: Path) -> Iterator[dict[str, Any]]:
    """Yield each package below ``root`` as CycloneDX 1.6 lists it; what only builds is ``excluded``."""
    builders = {part.name for folder in PACKAGES for part in folder.parts if not part.files}
    for folder in sorted(root.iterdir()):
        lock = json.loads((folder / LOCK).read_bytes())
        for one in (lock, *lock.get("built_with", ())):
            purl = f"pkg:npm/{quote(one['name'])}@{one['version']}"
            yield {
                "type": "library",
                "bom-ref": purl,
                "name": one["name"],
                "version": one["version"],
                "scope": "excluded" if one["name"] in builders else "required",
                "hashes": [{"alg": "SHA-512", "content": _hex(one["integrity"])}],
                "licenses": [{"license": {"id": one["license"]}}],
                "purl": purl,
            }


def _hex(sha512: str) -> str:
    return base64.b64decode(sha512.removeprefix("sha512-")).hex()


def add_to(bill: Path, root: Path) -> None:
    """Add the packages below ``root`` to a bill of materials in JSON that names none of them yet."""
    told = json.loads(bill.read_bytes())
    found = list(components(root))
    told["components"] += found
    told["dependencies"] += [{"ref": one["bom-ref"]} for one in found]
    bill.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Fetch, or check with ``--check``, or add to a bill with ``--sbom FILE``; return the exit code."""
    if arguments[:1] == ["--sbom"]:
        add_to(Path(arguments[1]), vendor())
        return 0
    try:
        for folder in PACKAGES if "--check" not in arguments else ():
            fetch(folder, vendor())
            sys.stdout.write(f"{folder.name}: {folder.package.name} {folder.package.version}\n")
    except VendorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found = list(faults(vendor()))
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
