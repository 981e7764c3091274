"""The command line as a whole: what is there, what help says, how a slip of the hand is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli

ROOT = Path(__file__).resolve().parents[2]

DESK = ("draft", "edit", "show", "list", "submit", "approve", "reject", "release", "update", "cancel")
LEAVES = [
    *((name,) for name in cli.COMMANDS),
    ("alert", "check"),
    *(("audience", name) for name in ("regions", "import", "preview")),
    *(("desk", name) for name in (*DESK, "withdraw")),
    *(("desk", "person", name) for name in ("add", "list")),
    *(("audit", name) for name in ("verify", "show")),
    ("bench", "sms"),
]


@pytest.fixture
def tongda(capsys):
    """Run the command line in this process; returns (exit code, output, errors)."""

    def run(*words):
        with pytest.raises(SystemExit) as end:
            cli.main(list(words))
        told = capsys.readouterr()
        return end.value.code or 0, told.out, told.err

    return run


class TestHelp:
    def test_it_names_every_command(self, tongda):
        code, told, _ = tongda("--help")
        assert code == 0
        for name in (*cli.GROUPS, *cli.COMMANDS):
            assert re.search(rf"\b{name}\b", told)

    @pytest.mark.parametrize("words", LEAVES, ids=" ".join)
    def test_every_command_has_help_of_its_own(self, tongda, words):
        code, told, _ = tongda(*words, "--help")
        assert code == 0
        assert f"tongda {' '.join(words)}" in told

    @pytest.mark.parametrize("words", LEAVES, ids=" ".join)
    def test_the_readme_or_the_changelog_speaks_of_every_command(self, words):
        pages = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CHANGELOG.md"))
        group = " ".join(words[:-1])
        spelled = rf"tongda {' '.join(words)}\b"
        listed = rf"tongda {group} [a-z|]*\b{words[-1]}\b" if group else spelled
        assert re.search(spelled, pages) or re.search(listed, pages)

    def test_a_group_without_a_command_shows_its_commands(self, tongda):
        code, told, _ = tongda("desk")
        assert code == 2
        assert "withdraw" in told


class TestASlipOfTheHand:
    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (("dmeo",), "demo"),
            (("desk", "aprove"), "approve"),
            (("demo", "--capp", "x"), "--capp"),
            (("demo", "--cap"), "--cap"),
            (("desk", "draft"), "--as"),
            (("desk", "show", "first"), "ALERT"),
            (("bench", "sms", "--count", "0"), "--count"),
            (("coverage",), "RELEASE"),
            (("audience", "preview"), "--region"),
            (("alert", "check"), "FILE"),
        ],
    )
    def test_it_is_one_line_that_names_it(self, tongda, words, named):
        code, told, said = tongda(*words)
        assert (code, told) == (2, "")
        assert said.startswith("tongda: ")
        assert said.count("\n") == 1
        assert named in said

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("TONGDA_WEBB__PORT", "80", "did you mean TONGDA_WEB__PORT?"),
            ("TONGDA_WEB__PROT", "80", "did you mean port?"),
            ("TONGDA_WEB__PORT", "eighty", "TONGDA_WEB__PORT"),
            ("TONGDA_CONFIG", "nowhere.toml", "there is no file nowhere.toml"),
        ],
    )
    def test_a_wrong_setting_is_one_line_too(self, tongda, monkeypatch, name, value, said):
        monkeypatch.setenv(name, value)
        code, _, error = tongda("up")
        assert code == 2
        assert error.count("\n") == 1
        assert said in error
        assert name in error


class TestCtrlC:
    def test_while_modules_are_being_read_it_ends_without_a_traceback(self):
        program = (
            "import signal\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from gateway import cli\n"
            "cli._load = lambda name: signal.raise_signal(signal.SIGINT)\n"
            "cli.main(['demo'])\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert ended.returncode == cli.INTERRUPTED
        assert not ended.stderr
