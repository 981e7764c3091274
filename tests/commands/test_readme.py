"""The README's walk-through, typed as it stands there, against a played carrier."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "config" / "demo"
PLACEHOLDER = "0123456789ab"
DIGEST = re.compile(r"^digest +([0-9a-f]{12})|digest ([0-9a-f]{12})$", re.MULTILINE)


def blocks(language):
    """The README's fenced blocks of a language in the chapter of the walk-through."""
    chapter = (ROOT / "README.md").read_text(encoding="utf-8").split("## Your own gateway", 1)[1]
    return re.findall(rf"```{language}\n(.*?)```", chapter.split("\n## ", 1)[0], flags=re.DOTALL)


def commands():
    (block,) = blocks("sh")
    return [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("tongda ")]


@pytest.fixture
def config(folder, smsc):
    """The README's settings with what a carrier would have told us in place of the invented values."""
    (text,) = blocks("toml")
    for name in ("host", "port", "system_id", "password"):
        value = smsc[name] if isinstance(smsc[name], int) else f'"{smsc[name]}"'
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1, f"the README sets {name} once"
    path = folder / "tongda.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def papers(tmp_path):
    """The files that the README speaks of: the county of the demo, and a warning that holds today."""
    for name in ("townships.geojson", "villages.csv", "contacts.csv"):
        (tmp_path / name).write_bytes((DEMO / name).read_bytes())
    until = (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S-00:00")
    warning = (DEMO / "rainstorm_orange.xml").read_text(encoding="utf-8")
    warning = re.sub(r"<expires>.*?</expires>", f"<expires>{until}</expires>", warning)
    (tmp_path / "warning.xml").write_text(warning, encoding="utf-8")
    return tmp_path


@pytest.mark.timeout(300)
def test_every_command_works_as_it_is_written(gateway, papers):
    digest = ""
    with gateway.up():
        for words in commands():
            typed = [digest if word == PLACEHOLDER else word for word in words[1:]]
            if typed[0] == "coverage":
                gateway.settled(lambda: reached(gateway) == (96, 96))
            ended = subprocess.run(
                [*gateway.command, *typed],
                env=gateway.env,
                cwd=papers,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}"
            found = DIGEST.search(ended.stdout)
            digest = (found[1] or found[2]) if found else digest
        assert (papers / "coverage.html").exists()
        listed = gateway.tell("desk", "list").stdout
        told = json.loads(gateway.tell("coverage", "2", "--json").stdout)
    assert told["release"]["msg_type"] == "Cancel"
    assert told["people"]["intended"] == 96
    assert re.search(r"1 +cancelled", listed)
    assert re.search(r"2 +released +Cancel", listed)


def reached(gateway):
    """(delivered, intended) of the first release."""
    rows = gateway.tell("coverage", "1", "--lang", "en").stdout
    found = re.search(r"^Reached .*?([\d,]+) / ([\d,]+)$", rows, flags=re.MULTILINE)
    return tuple(int(number) for number in found.groups()) if found else None
