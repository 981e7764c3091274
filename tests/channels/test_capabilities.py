"""The capability table of docs/channels.md is what the adapters say of themselves.

``python -m tests.channels.test_capabilities`` writes it anew.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from channels import base

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"
BEGIN, END = "<!-- capabilities: begin -->", "<!-- capabilities: end -->"
COLUMNS = (
    "Channel",
    "Address",
    "Strongest proof",
    "Receipts",
    "Confirm link",
    "Second copy is dropped",
    "Too fast concerns",
    "Longest text",
)
KINDS = [kind for kind in base.KINDS if find_spec(f"channels.{kind}")]


def row(kind):
    """Return one line of the table."""
    told = base.adapter(kind).capabilities
    limit = f"{told.text_limit} {told.text_unit}" if told.text_limit else "no limit"
    cells = (
        f"`{kind}`",
        told.addresses,
        told.highest.name.lower(),
        *("yes" if flag else "no" for flag in (told.receipts, told.links, told.retry_safe)),
        "one address" if told.limits_by_address else "the route",
        limit,
    )
    return f"| {' | '.join(cells)} |"


def table():
    """Return the whole table."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}", *map(row, KINDS)]
    return "\n".join(lines)


def written():
    """Return the table as the page has it."""
    return PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()


class TestTable:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_page_says_what_the_adapter_says(self, kind):
        assert row(kind) in written().splitlines()

    def test_the_page_has_no_other_rows(self):
        assert written() == table()


@pytest.mark.parametrize("kind", KINDS)
class TestRow:
    def test_a_channel_without_receipts_proves_no_more_than_acceptance(self, kind):
        told = base.adapter(kind).capabilities
        assert told.receipts is (told.highest > base.Proof.ACCEPTED)

    def test_a_limit_has_a_unit(self, kind):
        told = base.adapter(kind).capabilities
        assert told.text_limit >= 0
        assert told.text_unit

    def test_the_folder_is_named_for_the_kind_and_brings_a_simulator(self, kind):
        assert base.adapter(kind).kind == kind
        assert issubclass(base.adapter(kind).Settings, base.RouteSettings)
        assert issubclass(base.simulator(kind), base.Simulator)

    def test_it_has_a_page_of_facts(self, kind):
        page = Path(base.__file__).parent / kind / "README.md"
        assert len(page.read_text(encoding="utf-8").splitlines()) > 10


if __name__ == "__main__":
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    sys.exit(0)
