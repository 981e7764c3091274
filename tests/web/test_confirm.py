"""The confirm link, as a person's phone and a mail gateway's scanner meet it."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta

import pytest
from lxml import etree
from sqlalchemy import text

from channels.base import Proof
from gateway.coverage import Share, coverage, recount
from gateway.receipts.confirm import make_token
from gateway.store.database import Database
from tests.coverage.build import RELEASED
from tests.web.conftest import CONFIRM, CONFIRM_OLD


def link(built, key: str = CONFIRM) -> str:
    return "/c/" + make_token(built.deliveries[0]["sms"], key.encode())


async def page(response):
    return etree.HTML(await response.text())


async def rows(database, statement: str):
    async with database.begin() as connection:
        return [tuple(row) for row in await connection.execute(text(statement))]


class TestLooking:
    async def test_it_shows_the_headline_and_one_button(self, client, release):
        response = await client.get(link(await release()))
        tree = await page(response)
        assert response.status == 200
        assert tree.findtext(".//h1") == "示范县发布暴雨红色预警"
        assert [button.text for button in tree.iter("button")] == ["我已收到"]
        assert tree.xpath("//form/@method") == ["post"]

    async def test_it_confirms_nothing_however_often_scanners_fetch_it(self, client, release, database):
        built = await release()
        for method in ("GET", "HEAD", "GET"):
            await client.request(method, link(built))
        assert await rows(database, "SELECT count(*) FROM receipts") == [(0,)]

    async def test_it_speaks_the_language_of_the_text_that_was_sent(self, client, release):
        tree = await page(await client.get(link(await release(language="en"))))
        assert tree.get("lang") == "en"
        assert tree.findtext(".//h1") == "Red rainstorm warning for Demo County"
        assert [button.text for button in tree.iter("button")] == ["I have received it"]

    async def test_it_works_without_script_and_fetches_nothing(self, client, release):
        tree = await page(await client.get(link(await release())))
        assert not tree.xpath("//script|//link|//img|//*[@style]|//*[@src]|//*[@onclick]")

    async def test_its_one_style_is_the_one_that_the_browser_is_told_to_allow(self, client, release):
        response = await client.get(link(await release()))
        style = (await page(response)).findtext(".//style")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}';" in response.headers["Content-Security-Policy"]

    async def test_a_drill_is_marked(self, client, release):
        tree = await page(await client.get(link(await release(mode="drill"))))
        assert tree.xpath("//p[@class='drill']/text()") == ["演练 · 非真实预警"]

    async def test_a_headline_cannot_bring_markup(self, client, release, database):
        built = await release()
        await rows(
            database,
            """UPDATE releases
            SET texts = jsonb_set(texts, '{sms,zh-CN,subject}', '"<b>x</b>"') RETURNING 1""",
        )
        tree = await page(await client.get(link(built)))
        assert tree.findtext(".//h1") == "<b>x</b>"

    async def test_an_old_key_still_opens_links_that_were_sent_with_it(self, client, release):
        assert (await client.get(link(await release(), CONFIRM_OLD))).status == 200


class TestPressing:
    async def test_it_is_a_confirmation_in_the_ledger_and_in_the_coverage(self, client, release, database):
        built = await release()
        response = await client.post(link(built))
        assert response.status == 200
        assert "已确认收到" in await response.text()
        assert await rows(database, "SELECT delivery_id, channel, state, source, code FROM receipts") == [
            (built.deliveries[0]["sms"], "sms", 10, "person", "link")
        ]
        assert (await coverage(database, built.release)).responsible == Share(part=1, of=1)
        assert await recount(database, built.release) == []

    async def test_twice_is_fine_and_is_one_confirmation(self, client, release, database):
        built = await release()
        answers = [await client.post(link(built)) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert await rows(database, "SELECT count(*) FROM receipts") == [(1,)]
        assert "已确认收到" in await (await client.get(link(built))).text()

    async def test_it_comes_over_the_deliverys_own_channel_as_a_person(self, serve, release, recording):
        built = await release()
        await (await serve(recording)).post(link(built))
        ((channel, source, mode, receipt),) = recording.taken
        assert (channel, source, mode) == ("sms", "person", "live")
        assert (receipt.state, receipt.delivery) == (Proof.CONFIRMED, built.deliveries[0]["sms"])

    async def test_it_does_not_say_confirmed_before_that_is_durable(self, serve, release, recording):
        recording.durable = False
        client = await serve(recording, durable_within=0.05)
        response = await client.post(link(await release()))
        words = await response.text()
        assert response.status == 503
        assert "尚未登记" in words
        assert "已确认收到" not in words
        assert "我已收到" in words

    @pytest.mark.parametrize(
        ("how", "words"),
        [
            ({"expires": RELEASED - timedelta(hours=1)}, "该预警已过有效期"),
            ({"alert": "cancelled"}, "该预警已解除"),
            ({"alert": "updated"}, "该预警已有更新"),
        ],
    )
    async def test_after_its_end_it_says_so_politely_and_is_still_recorded(
        self, client, release, database, how, words
    ):
        built = await release(**how)
        assert words in await (await client.get(link(built))).text()
        assert words in await (await client.post(link(built))).text()
        assert (await coverage(database, built.release)).responsible.part == 1

    async def test_while_the_database_is_away_it_asks_to_try_again(
        self, serve, release, recording, database, monkeypatch
    ):
        built = await release()
        client = await serve(recording)
        away = Database("postgresql://tongda@/gone?host=/nonexistent", size=1)
        async with away:
            monkeypatch.setattr(database, "engine", away.engine)
            for response in (await client.get(link(built)), await client.post(link(built))):
                assert response.status == 503
                assert "请稍后再试" in await response.text()
        assert recording.taken == []


class TestForged:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("token", ["x", "0" * 20, "a" * 64, "9zRSMvRqZ5kMur"])
    async def test_a_token_that_we_did_not_make_is_a_404_and_asks_no_database(
        self, serve, recording, method, token, database
    ):
        client = await serve(recording)
        await database.pool.close()
        response = await client.request(method, f"/c/{token}")
        assert response.status == 404
        assert "链接无效" in await response.text()
        assert recording.taken == []

    async def test_a_token_of_another_key_is_refused(self, client, release, database):
        built = await release()
        assert (await client.post(link(built, "77665544" * 8))).status == 404
        assert await rows(database, "SELECT count(*) FROM receipts") == [(0,)]

    async def test_a_genuine_token_of_a_delivery_that_is_gone_is_a_404(self, client, release):
        await release()
        response = await client.get("/c/" + make_token(10**9, CONFIRM.encode()))
        assert response.status == 404

    @pytest.mark.parametrize("path", ["/c/", "/c/a-b", "/c/a%00b", "/c/../healthz/x", "/c/" + "a" * 65])
    async def test_other_paths_are_not_there(self, client, path):
        assert (await client.get(path)).status == 404

    async def test_who_has_no_delivery_is_answered_in_their_browsers_language(self, client):
        response = await client.get("/c/x", headers={"Accept-Language": "en-GB,en;q=0.9"})
        assert "This link does not work" in await response.text()
