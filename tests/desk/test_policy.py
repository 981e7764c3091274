"""The approval policy file."""

from __future__ import annotations

import pytest

from gateway.desk.policy import PolicyError, load_policy
from gateway.share import share

LEVELS = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n"
BROKEN = {
    "a missing level": ("[approvers]\nblue = 1\n", "approvers.yellow"),
    "nobody for red": (LEVELS.replace("red = 2", "red = 0"), "approvers.red"),
    "an unknown entry": (f"{LEVELS}[cancle]\napprovers = 1\n", "cancle"),
    "a word for a number": (LEVELS.replace("red = 2", 'red = "two"'), "approvers.red"),
    "no role that approves": (f"{LEVELS}[roles]\napprove = []\n", "roles.approve"),
    "a broken table": ("[approvers", "approval.toml"),
}


@pytest.fixture
def policy():
    return load_policy(share("config/approval.toml"))


class TestThePackagedPolicy:
    @pytest.mark.parametrize(("level", "needed"), [("blue", 1), ("yellow", 1), ("orange", 2), ("red", 2)])
    def test_it_asks_for_so_many(self, policy, level, needed):
        assert policy.needed(level, "Alert", 1000) == policy.needed(level, "Update", 1000) == needed

    def test_a_cancel_takes_one_for_any_level_and_crowd(self, policy):
        assert policy.needed("red", "Cancel", 10_000_000) == 1

    def test_a_crowd_takes_one_more(self, policy):
        assert policy.needed("red", "Alert", 100_000) == 2
        assert policy.needed("red", "Alert", 100_001) == 3

    def test_only_approvers_approve(self, policy):
        assert policy.allows("approve", ["approver"])
        assert not policy.allows("approve", ["author", "releaser", "auditor", "administrator"])


class TestABrokenFile:
    @pytest.mark.parametrize(("text", "named"), BROKEN.values(), ids=BROKEN)
    def test_the_file_and_the_entry_are_named(self, tmp_path, text, named):
        path = tmp_path / "approval.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(PolicyError, match=named) as refused:
            load_policy(path)
        assert str(path) in str(refused.value)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(PolicyError, match=r"absent\.toml: cannot be read"):
            load_policy(tmp_path / "absent.toml")
