"""The frame of every page: who may come, in which language, and what a second click does."""

from __future__ import annotations

import pytest

from gateway.web.console.routing import Routes


class TestComing:
    async def test_a_stranger_is_led_to_the_sign_in(self, visitor):
        answer = await (await visitor(None)).get("/")
        assert (answer.status, answer.location) == (303, "/desk/sign-in")

    async def test_the_desk_sees_the_board_in_its_language(self, visitor):
        assert "Watch board" in (await (await visitor("author")).get("/")).text
        assert "值班台" in (await (await visitor("author", "zh-CN")).get("/")).text

    async def test_who_has_no_right_is_refused(self, visitor):
        answer = await (await visitor("nobody")).get("/")
        assert answer.status == 403
        assert "Your roles do not allow this" in answer.text

    async def test_a_page_that_is_not_there_does_not_say_that_a_step_failed(self, visitor):
        answer = await (await visitor("author")).get("/nowhere")
        assert answer.status == 404
        assert "Cannot be shown" in answer.text
        assert "Not done" not in answer.text

    async def test_a_post_from_another_page_is_refused(self, visitor):
        browser = await visitor("author")
        for headers in ({"Origin": "https://elsewhere.example.org"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await browser.post("/language", {"language": "zh-CN"}, **headers)
            assert answer.status == 403

    async def test_the_language_is_kept_and_leads_nowhere_else(self, visitor):
        browser = await visitor("author")
        answer = await browser.post(
            "/language", {"language": "zh-CN", "back": "https://elsewhere.example.org"}
        )
        assert answer.location == "/desk/"
        assert "tongda_language=zh-CN" in answer.headers["Set-Cookie"]

    @pytest.mark.parametrize("end", ["\r\nSet-Cookie: a=b", "\x7f", "\n"])
    async def test_an_address_that_no_header_holds_leads_to_the_board(self, visitor, end):
        answer = await (await visitor(None)).post("/language", {"language": "en", "back": f"/desk/x{end}y/"})
        assert (answer.status, answer.location) == (303, "/desk/")


class TestRoutes:
    @pytest.mark.parametrize("rights", [(), ("invented",)])
    def test_one_without_a_right_does_not_start(self, rights):
        with pytest.raises(ValueError, match="names no right"):
            Routes().get("/x", *rights)
