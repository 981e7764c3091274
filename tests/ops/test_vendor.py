"""What is not ours in templates/web/vendor: locked to the byte, licensed, and complete."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import tarfile

import pytest

from gateway.ops import vendor_assets
from gateway.ops.vendor_assets import LOCK, PACKAGES, Package, VendorError, faults, integrity, vendor

FOLDERS = sorted(path for path in vendor().iterdir())


@pytest.fixture
def copy(tmp_path):
    """A copy of one small vendored folder."""
    shutil.copytree(vendor() / "htmx", tmp_path / "htmx")
    return tmp_path


class TestCommittedFiles:
    def test_are_as_their_locks_say_and_nothing_else_lies_there(self):
        assert list(faults(vendor())) == []
        assert vendor_assets.main(["--check"]) == 0

    @pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
    def test_have_a_licence_and_name_no_registry(self, folder):
        lock = json.loads((folder / LOCK).read_bytes())
        assert lock["license"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", lock["version"])
        assert "LICENSE" in lock["files"]
        assert "http" not in (folder / LOCK).read_text()

    def test_are_what_the_tool_would_fetch(self):
        for folder in PACKAGES:
            lock = json.loads((vendor() / folder.name / LOCK).read_bytes())
            assert (lock["name"], lock["version"], lock["license"]) == folder.package[:3]
            built_with = [(one["name"], one["version"]) for one in lock.get("built_with", ())]
            assert built_with == [part[:2] for part in folder.parts]

    def test_style_sheets_find_their_images_and_fonts(self):
        for sheet in vendor().rglob("*.css"):
            for named in re.findall(r"url\(([^)]+)\)", sheet.read_text(encoding="utf-8")):
                target = named.strip("'\"").partition("?")[0]
                assert target.startswith(("data:", "#", "%23")) or (sheet.parent / target).is_file(), (
                    sheet,
                    named,
                )

    def test_the_packed_chart_library_is_the_same(self):
        script = vendor() / "echarts" / "echarts.min.js"
        assert gzip.decompress((script.parent / f"{script.name}.gz").read_bytes()) == script.read_bytes()


class TestTheBillOfMaterials:
    def test_lists_all_that_is_vendored_beside_what_it_lists_already(self, tmp_path):
        bill = tmp_path / "sbom.json"
        bill.write_text('{"components": [{"name": "aiohttp"}], "dependencies": []}')
        assert vendor_assets.main(["--sbom", str(bill)]) == 0
        told = json.loads(bill.read_text())
        found = {one["name"]: one for one in told["components"]}
        locks = [json.loads((folder / LOCK).read_bytes()) for folder in FOLDERS]
        parts = [part for lock in locks for part in (lock, *lock.get("built_with", ()))]
        assert found.keys() == {"aiohttp"} | {part["name"] for part in parts}
        assert {one["ref"] for one in told["dependencies"]} == {
            one["bom-ref"] for one in told["components"][1:]
        }
        geoman = found["@geoman-io/leaflet-geoman-free"]
        assert geoman["purl"] == f"pkg:npm/%40geoman-io/leaflet-geoman-free@{geoman['version']}"
        assert geoman["licenses"] == [{"license": {"id": "MIT"}}]
        assert re.fullmatch("[0-9a-f]{128}", geoman["hashes"][0]["content"])

    def test_tells_what_only_builds(self):
        scopes = {one["name"]: one["scope"] for one in vendor_assets.components(vendor())}
        assert [name for name, scope in scopes.items() if scope == "excluded"] == ["@esbuild/linux-x64"]


class TestFaults:
    def test_a_changed_file_is_told(self, copy):
        (copy / "htmx" / "htmx.min.js").write_text("alert(1)")
        assert list(faults(copy)) == ["htmx/htmx.min.js is not as it was locked"]

    def test_a_file_that_no_lock_knows_is_told(self, copy):
        (copy / "htmx" / "more.js").write_text("")
        assert list(faults(copy)) == ["htmx/more.js is in no lock"]

    def test_a_missing_file_and_a_missing_lock_are_told(self, copy):
        (copy / "htmx" / "LICENSE").unlink()
        (copy / "other").mkdir()
        assert list(faults(copy)) == ["htmx/LICENSE is missing", "other has no lock.json"]


class TestArchives:
    PACKAGE = Package("invented", "1.0.0", "MIT", {"LICENSE": "LICENSE"})

    def test_one_that_differs_from_the_lock_is_refused(self):
        with pytest.raises(VendorError, match=r"invented 1\.0\.0 is not the archive that was locked"):
            vendor_assets._agreed(self.PACKAGE, integrity(b"other"), {"invented 1.0.0": integrity(b"this")})

    def test_a_new_version_is_taken_on_the_word_of_npm(self):
        known = {"invented 0.9.0": integrity(b"old")}
        assert vendor_assets._agreed(self.PACKAGE, integrity(b"new"), known) == integrity(b"new")

    def test_no_member_leaves_the_folder(self, tmp_path):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name in ("package/good.js", "package/../../evil.js", "package/a/../../../evil.js"):
                tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        vendor_assets._unpack(packed.getvalue(), tmp_path / "inside" / "deep")
        found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
        assert found == {"inside/deep/good.js"}

    def test_a_file_that_a_package_lost_is_told(self, tmp_path):
        with pytest.raises(VendorError, match="has no LICENSE"):
            vendor_assets._copy(self.PACKAGE, tmp_path, tmp_path / "goal")
