"""docs/proof.md names tests; each is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))
ROWS = [f"W{number}" for number in range(1, 9)] + [f"S{number}" for number in (1, 2, 3, 4, 5, 6, 7, 10, 12)]


class TestThePage:
    def test_names_files_and_classes_that_there_are(self):
        assert len(NAMED) > 50
        missing = [
            (file, name)
            for file, name in NAMED
            if not (ROOT / file).is_file()
            or (
                name
                and not re.search(
                    rf"^class {name}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
                )
            )
        ]
        assert missing == []

    def test_has_every_row(self):
        assert re.findall(r"^\| ([WS]\d+) \|", PAGE, re.MULTILINE) == ROWS

    def test_each_row_can_be_found_in_a_test(self):
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
        unsaid = [row for row in ROWS if not any(re.search(rf"\b{row}\b", text) for text in texts)]
        assert unsaid == []
