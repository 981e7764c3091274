"""W6: the pages say that a warning goes to unusually many, before it is submitted and before it is signed."""

from __future__ import annotations

from datetime import UTC

import pytest

from gateway.desk.policy import Usual
from gateway.web.console.came_words import say_sentence
from gateway.web.console.words import templates
from tests.desk.conftest import COUNTY, NORTH, SOUTH, area, ready, sent
from tests.web.console.test_approve import signers
from tests.web.console.test_draft import form, pairs, place

EVERYWHERE = (area(COUNTY, "示范县"),)
ONE = (area(SOUTH, "南湖镇"),)
"""Where one person lives; three live in the north, four in the county."""


@pytest.fixture
def desk(desk):
    """A policy for a county of four: twice the usual number is unusual once one warning was sent."""
    policy = desk.office.policy
    rule = Usual(times=2, least=1, floor=1)
    desk.office = desk.office._replace(policy=policy.model_copy(update={"usual": rule}))
    return desk


class TestThePageThatIsSigned:
    @pytest.mark.parametrize(
        ("language", "why", "asks"),
        [
            ("en", "4 people: everybody who can be reached", "1 more must sign because of so many people"),
            ("zh-CN", "发送对象 4 人，即全部可联系人员", "须另有 1 人审核签发"),
        ],
    )
    async def test_says_that_it_goes_to_everybody(self, desk, visitor, language, why, asks):
        row = await ready(desk, areas=EVERYWHERE)
        page = (await (await visitor("first", language)).get(f"/alerts/{row.id}")).text
        assert why in page
        assert asks in page
        assert "0 / 2" in page
        assert 'name="place"' in page
        assert 'name="count"' in page

    @pytest.mark.parametrize(
        ("language", "why"),
        [
            (
                "en",
                "3 times as many people as usual: 3, where the median of 1 earlier warnings of this hazard",
            ),
            ("zh-CN", "发送对象 3 人，为往常的 3 倍（此前同灾种、相近级别预警 1 次，中位数 1 人）"),
        ],
    )
    async def test_says_what_is_usual(self, desk, visitor, language, why):
        await sent(desk, areas=ONE)
        row = await ready(desk)
        assert why in (await (await visitor("first", language)).get(f"/alerts/{row.id}")).text

    async def test_takes_place_and_number_at_any_level(self, desk, database, visitor):
        row = await ready(desk, areas=EVERYWHERE, level="blue")
        browser, path = await visitor("first"), f"/alerts/{row.id}/approve"
        answer = await browser.post(path, {"digest": row.digest})
        assert (answer.status, "This goes to: 示范县" in answer.text) == (422, True)
        answer = await browser.post(path, {"digest": row.digest, "place": "示范县", "count": "3"})
        assert (answer.status, "This goes to 4" in answer.text) == (422, True)
        assert await signers(database, row) == set()
        answer = await browser.post(path, {"digest": row.digest, "place": "示范县", "count": "4"})
        assert answer.status == 303
        assert await signers(database, row) == {"first"}
        assert (await desk.show(row.id)).alert.state == "submitted"

    async def test_asks_whoever_sends_again(self, desk, visitor):
        row = await ready(desk, areas=EVERYWHERE)
        for person in ("first", "second"):
            await desk.approve(row.id, row.digest, person)
        browser, path = await visitor("sender"), f"/alerts/{row.id}/release"
        assert (await browser.post(path, {"digest": row.digest})).status == 422
        typed = {"digest": row.digest, "place": "示范县", "count": "4"}
        assert (await browser.post(path, typed)).status == 303

    async def test_keeps_to_what_was_frozen_whatever_is_sent_meanwhile(self, desk, visitor):
        await sent(desk, areas=ONE)
        row = await ready(desk)
        desk.office = desk.office._replace(
            policy=desk.office.policy.model_copy(update={"usual": Usual(times=0)})
        )
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/approve", {"digest": row.digest})
        assert (answer.status, "0 / 2" in answer.text) == (422, True)

    async def test_asks_nothing_for_what_is_usual(self, desk, visitor):
        await sent(desk)
        row = await ready(desk)
        browser = await visitor("first")
        page = (await browser.get(f"/alerts/{row.id}")).text
        assert "as usual" not in page
        assert 'name="place"' not in page
        assert (await browser.post(f"/alerts/{row.id}/approve", {"digest": row.digest})).status == 303

    async def test_of_a_cancel_asks_for_nothing_more(self, desk, visitor):
        before = await sent(desk, areas=EVERYWHERE)
        row = await desk.cancel(before.id, "author")
        browser = await visitor("first")
        page = (await browser.get(f"/alerts/{row.id}")).text
        assert "0 / 1" in page
        assert 'name="place"' not in page
        assert (await browser.post(f"/alerts/{row.id}/approve", {"digest": row.digest})).status == 303
        assert (await desk.show(before.id)).alert.state == "cancelled"


class TestTheDraft:
    @pytest.mark.parametrize(
        ("language", "said"),
        [
            ("en", ("4 people: everybody who can be reached", "3 approvers have to sign")),
            ("zh-CN", ("发送对象 4 人，即全部可联系人员", "须由 3 名审核签发人签发")),
        ],
    )
    async def test_says_it_before_anybody_submits(self, visitor, language, said):
        browser = await visitor("author", language)
        part = (await browser.post("/drafts/audience", pairs(form(area=place(COUNTY))))).text
        assert [one in part for one in said] == [True, True]

    async def test_says_what_is_usual(self, desk, visitor):
        await sent(desk, areas=ONE)
        browser = await visitor("author")
        part = (await browser.post("/drafts/audience", pairs(form(area=place(NORTH))))).text
        assert "3 times as many people as usual: 3" in part
        part = (await browser.post("/drafts/audience", pairs(form(area=place(SOUTH))))).text
        assert "as usual" not in part
        assert "Approvers that have to sign: 2" in part


class TestTheInbox:
    @pytest.mark.parametrize(
        ("why", "said"),
        [
            (
                "it goes to everybody who can be reached, 4 recipients",
                "发送对象 4 人，即全部可联系人员，须人工审核签发。",
            ),
            (
                "it goes to 7 recipients, 3 times as many as usual (median of 5 earlier warnings: 2)",
                "发送对象 7 人，为往常的 3 倍（此前预警 5 次，中位数 2 人），须人工审核签发。",
            ),
        ],
    )
    def test_says_in_chinese_why_a_rule_did_not_send(self, why, said):
        assert say_sentence(f"{why}: a person approves", templates("zh-CN").say, UTC) == said
