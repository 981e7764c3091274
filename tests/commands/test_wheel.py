"""The wheel as somebody installs it elsewhere: everything it needs is inside."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.ops.secret_shapes import found_in
from tests.ops.test_secrets import INVENTED, SAMPLES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The built wheel, laid open in a folder far from the checkout."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not in this environment")
    built = tmp_path_factory.mktemp("built")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("tongda-*.whl")
    place = tmp_path_factory.mktemp("elsewhere")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def files(folder):
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


class TestWheel:
    @pytest.mark.parametrize("package", ["gateway", "channels"])
    def test_it_has_every_module(self, installed, package):
        shared = Path("_share")
        assert {one for one in files(installed / package) if shared not in one.parents} == files(
            ROOT / package
        )

    @pytest.mark.parametrize("share", ["templates", "config"])
    def test_it_has_every_template_and_default(self, installed, share):
        assert files(installed / "gateway" / "_share" / share) == files(ROOT / share)

    def test_it_has_no_secret(self, installed):
        """S1: what looks like one is a sample of a comment, or belongs to a simulator."""
        listed = SAMPLES.union(*(words for name, words in INVENTED.items() if name.startswith("channels/")))
        strange = {
            (str(name), shape, found)
            for name in files(installed)
            if not name.parts[0].endswith(".dist-info")
            for shape, found in found_in((installed / name).read_bytes().decode("utf-8", "replace"))
            if found not in listed
        }
        assert strange == set()

    def test_commands_work_outside_any_checkout(self, installed, tmp_path):
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TONGDA_")}
        program = (
            f"import sys; sys.path.insert(0, {str(installed)!r})\n"
            "import gateway\n"
            f"assert gateway.__file__.startswith({str(installed)!r}), gateway.__file__\n"
            "from gateway import share\n"
            "from gateway.settings import load_settings\n"
            "settings = load_settings()\n"
            "warning = share.share('config/demo/rainstorm_orange.xml')\n"
            "for path in (settings.hazards, settings.approval, warning):\n"
            f"    assert str(path).startswith({str(installed)!r}), path\n"
            "from gateway import cli\n"
            "cli.main(['alert', 'check', str(warning)])\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env=ours,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert '"verdict":"' in ended.stdout
        assert '"refused"' not in ended.stdout
