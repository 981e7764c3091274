"""The adapter against the played vendor: every answer, every fault, and what must never be told."""

from __future__ import annotations

import contextlib
import json
import logging

import pytest
from aiohttp import web
from pydantic import ValidationError

from channels.base import (
    HELD,
    HOLE,
    Accepted,
    AddressRefused,
    ChannelDown,
    ContentRefused,
    Message,
    Rejected,
    Retry,
    Throttled,
    Unknown,
)
from channels.wecom import ADAPTER, pace
from channels.wecom.simulator import WecomSimulator
from tests.channels.contract import TEXT, Book, Inbox, content, until

KEYS = [f"00000000-invented-robot-{number:08d}" for number in range(50)]


@pytest.fixture
async def vendor():
    simulator = WecomSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@contextlib.asynccontextmanager
async def opened(simulator, **changes):
    channel = ADAPTER(ADAPTER.Settings(**{**simulator.settings(), **changes}), Inbox())
    await channel.open()
    try:
        yield channel
    finally:
        await channel.close()


async def outcomes(channel, keys, **changes):
    """Return the outcome of one message to each key."""
    book = Book()
    messages = [Message(number, key) for number, key in enumerate(keys)]
    await channel.send(channel.prepare(content(**changes)), messages, book)
    return [book.once()[number] for number in range(len(keys))]


class TestAnswers:
    @pytest.mark.parametrize(
        ("code", "outcome"),
        [
            (-1, Retry(5.0, "-1")),
            (40058, Rejected("40058")),
            (45009, Throttled(60.0, "45009")),
            (93000, Rejected("93000")),
            (301019, Retry(30.0, "301019")),
        ],
    )
    async def test_a_200_with_an_errcode_is_judged_by_the_errcode(self, vendor, code, outcome):
        vendor.errcode = code
        async with opened(vendor) as channel:
            assert await outcomes(channel, KEYS[:1]) == [outcome]
        assert vendor.ledger == []

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (302, Retry(30.0, "http-302")),
            (404, Retry(30.0, "http-404")),
            (413, Rejected("http-413")),
            (429, Throttled(60.0, "http-429")),
            (204, Unknown("http-204")),
            (408, Unknown("http-408")),
            (500, Unknown("http-500")),
            (502, Unknown("http-502")),
            (503, Retry(5.0, "http-503")),
            (504, Unknown("http-504")),
        ],
    )
    async def test_a_status_other_than_200_is_never_accepted(self, vendor, status, outcome):
        vendor.status = status
        async with opened(vendor) as channel:
            assert await outcomes(channel, KEYS[:1]) == [outcome]

    async def test_only_the_robots_with_an_errcode_fail(self, vendor):
        vendor.errcodes = {KEYS[1]: 93000}
        async with opened(vendor) as channel:
            got = await outcomes(channel, KEYS[:3])
        assert [type(outcome) for outcome in got] == [Accepted, Rejected, Accepted]

    async def test_each_accepted_message_has_a_reference_of_its_own(self, vendor):
        async with opened(vendor) as channel:
            refs = {outcome.refs for outcome in await outcomes(channel, KEYS[:5])}
        assert len(refs) == 5

    async def test_the_vendor_itself_refuses_what_is_too_long_or_empty(self, vendor):
        async with opened(vendor) as channel:
            prepared = channel.prepare(content())
            for text, code in (("雨" * 683, 40058), ("", 44004)):
                prepared._pieces = [json.dumps({"msgtype": "text", "text": {"content": text}}).encode()]
                book = Book()
                await channel.send(prepared, [Message(1, KEYS[0])], book)
                assert book.once() == {1: Rejected(str(code))}


class TestFaults:
    async def test_an_answer_dropped_after_the_message_was_taken_is_unknown(self, vendor):
        vendor.drop_share = 1.0
        async with opened(vendor) as channel:
            got = await outcomes(channel, KEYS[:3])
        assert [type(outcome) for outcome in got] == [Unknown] * 3
        assert len(vendor.ledger) == 3

    async def test_a_connection_cut_before_the_message_was_taken_is_unknown_all_the_same(self, vendor):
        vendor.cut_share = 1.0
        async with opened(vendor) as channel:
            got = await outcomes(channel, KEYS[:3])
        assert [type(outcome) for outcome in got] == [Unknown] * 3
        assert vendor.ledger == []

    async def test_a_vendor_that_stays_busy_is_asked_three_times_more_and_then_it_is_unknown(self, vendor):
        vendor.errcode = -1
        async with opened(vendor) as channel:
            got = [(await outcomes(channel, KEYS[:1]))[0] for _ in range(5)]
        assert got == [Retry(5.0, "-1")] * 3 + [Unknown("-1")] * 2

    async def test_a_hanging_vendor_is_left_after_the_timeout_and_is_unknown(self, vendor):
        vendor.hang = True
        async with opened(vendor, timeout=0.3) as channel:
            assert await outcomes(channel, KEYS[:1]) == [Unknown("timeout")]

    async def test_a_vendor_that_goes_away_gives_retry_because_nothing_left(self, vendor):
        async with opened(vendor) as channel:
            await vendor.stop()
            assert await outcomes(channel, KEYS[:2]) == [Retry(5.0, "ClientConnectorError")] * 2

    async def test_a_vendor_that_comes_back_is_used_again(self, vendor):
        async with opened(vendor) as channel:
            await outcomes(channel, KEYS[:1])
            await vendor.stop()
            await vendor.start()
            await until_accepted(channel)

    async def test_a_giant_answer_is_not_swallowed(self, vendor):
        vendor.giant = True
        async with opened(vendor) as channel:
            assert await outcomes(channel, KEYS[:1]) == [Unknown("answer-too-long")]

    async def test_a_200_that_is_not_the_vendors_json_is_unknown(self, vendor):
        vendor.garbage = True
        async with opened(vendor) as channel:
            assert await outcomes(channel, KEYS[:1]) == [Unknown("garbage")]

    async def test_one_robot_that_fails_does_not_hold_up_the_others(self, vendor):
        vendor.errcodes = {KEYS[0]: -1, KEYS[2]: 45009}
        async with opened(vendor) as channel:
            got = await outcomes(channel, KEYS[:4])
        assert [type(outcome) for outcome in got] == [Retry, Accepted, Throttled, Accepted]

    async def test_a_redirect_is_not_followed(self, aiohttp_server):
        visited = []

        async def elsewhere(request):
            visited.append(request.path)
            return web.json_response({"errcode": 0, "errmsg": "ok"})

        async def portal(request):
            raise web.HTTPTemporaryRedirect(f"{request.url.origin()}/elsewhere")

        app = web.Application()
        app.router.add_post("/cgi-bin/webhook/send", portal)
        app.router.add_post("/elsewhere", elsewhere)
        server = await aiohttp_server(app)
        channel = ADAPTER(ADAPTER.Settings(base_url=f"http://127.0.0.1:{server.port}"), Inbox())
        await channel.open()
        assert await outcomes(channel, KEYS[:1]) == [Retry(30.0, "http-307")]
        assert visited == []
        await channel.close()


async def until_accepted(channel):
    got = []
    for _ in range(5):
        got += await outcomes(channel, KEYS[1:2])
        if isinstance(got[-1], Accepted):
            return
    raise AssertionError(got)


class TestGate:
    async def test_it_is_asked_when_the_connection_stands_and_not_before(self, vendor):
        asked = []
        async with opened(vendor) as channel:
            await vendor.stop()
            book = Book()
            await channel.send(
                channel.prepare(content()), [Message(1, KEYS[0])], book, lambda: asked.append(1) is None
            )
            assert isinstance(book.once()[1], Retry)
            assert asked == []

    async def test_what_waits_for_its_robots_minute_is_held_with_the_rest(self, vendor, monkeypatch):
        monkeypatch.setattr(pace, "WINDOW", 2.0)
        book, asked = Book(), []
        async with opened(vendor, per_minute=1) as channel:
            messages = [Message(number, KEYS[0]) for number in range(2)]
            await channel.send(channel.prepare(content()), messages[:1], Book())
            waiting = [messages[1], Message(2, KEYS[1])]
            await channel.send(channel.prepare(content()), waiting, book, lambda: asked.append(1) is not None)
        assert book.once() == {1: HELD, 2: HELD}
        assert len(asked) == 1, "only the free robot's message came to the door"
        assert len(vendor.ledger) == 1

    async def test_what_was_held_costs_its_robot_no_turn(self, vendor):
        async with opened(vendor, per_minute=1, patience=0) as channel:
            book = Book()
            await channel.send(channel.prepare(content()), [Message(1, KEYS[0])], book, lambda: False)
            assert book.once() == {1: HELD}
            assert [type(outcome) for outcome in await outcomes(channel, KEYS[:1])] == [Accepted]


class TestPaceAtTheVendor:
    async def test_the_21st_message_of_a_minute_is_throttled_before_it_leaves(self, vendor):
        async with opened(vendor) as channel:
            got = await outcomes(channel, [KEYS[0]] * 25)
        assert [type(outcome) for outcome in got] == [Accepted] * 20 + [Throttled] * 5
        assert all(0 < outcome.after <= pace.WINDOW for outcome in got[20:])
        assert vendor.requests == 20

    async def test_what_another_worker_used_up_shows_as_the_vendors_throttle_and_silences_the_robot(
        self, vendor
    ):
        async with opened(vendor) as one, opened(vendor) as other:
            await outcomes(one, [KEYS[0]] * 20)
            assert await outcomes(other, [KEYS[0]]) == [Throttled(60.0, "45009")]
            asked = vendor.requests
            got = await outcomes(other, KEYS[:2])
        assert got[0].code == "pace"
        assert 55 < got[0].after <= 60
        assert isinstance(got[1], Accepted)
        assert vendor.requests == asked + 1
        assert vendor.stats() == {"ledger": 21, "requests": 22, "peak": vendor.peak}
        assert len(vendor.ledger) == 21

    async def test_a_message_whose_turn_comes_soon_waits_for_it(self, vendor, monkeypatch):
        monkeypatch.setattr(pace, "WINDOW", 0.4)
        async with opened(vendor, per_minute=2) as channel:
            got = await outcomes(channel, [KEYS[0]] * 6)
        assert [type(outcome) for outcome in got] == [Accepted] * 6
        taken = [entry.at for entry in vendor.ledger]
        assert all(later - earlier > 0.3 for earlier, later in zip(taken, taken[2:], strict=False))

    async def test_nothing_sent_costs_no_turn(self, vendor):
        async with opened(vendor, per_minute=3, patience=0) as channel:
            await vendor.stop()
            await outcomes(channel, [KEYS[0]] * 3)
            await vendor.start()
            got = await outcomes(channel, [KEYS[0]] * 3)
        assert [type(outcome) for outcome in got] == [Accepted] * 3


class TestText:
    @pytest.mark.parametrize(
        ("style", "text", "fits"),
        [
            ("text", "a" * 2048, True),
            ("text", "a" * 2049, False),
            ("text", "雨" * 682, True),
            ("text", "雨" * 683, False),
            ("text", "a" * 1792 + HOLE, True),
            ("text", "a" * 1793 + HOLE, False),
            ("markdown", "雨" * 1365, True),
            ("markdown", "雨" * 1366, False),
            ("text", "", False),
            ("text", " \n", False),
            ("markdown", "<@invented-member>", False),
            ("text", "<@invented-member>", True),
        ],
        ids=range(12),
    )
    async def test_what_does_not_fit_is_refused_and_never_cut(self, vendor, style, text, fits):
        async with opened(vendor, style=style) as channel:
            if not fits:
                with pytest.raises(ContentRefused):
                    channel.prepare(content(text=text))
                return
            assert await outcomes(channel, KEYS[:1], text=text) == [Accepted(("wecom-0",))]
        assert [entry.text for entry in vendor.ledger] == [text.replace(HOLE, "")]

    async def test_a_link_that_makes_one_message_too_long_rejects_that_message_only(self, vendor):
        book = Book()
        async with opened(vendor) as channel:
            prepared = channel.prepare(content(text="a" * 1792 + HOLE))
            fills = ["b" * 256, "b" * 257]
            await channel.send(prepared, [Message(n, KEYS[n], fill) for n, fill in enumerate(fills)], book)
        assert [type(book.once()[n]) for n in range(2)] == [Accepted, Rejected]
        assert len(vendor.ledger[0].text.encode()) == 2048

    async def test_quotes_line_breaks_and_rare_signs_arrive_as_written(self, vendor):
        text = '"引号"\\ 反斜杠\n第二行\t𠮷\N{PILE OF POO} </script>' + HOLE
        async with opened(vendor) as channel:
            book = Book()
            await channel.send(
                channel.prepare(content(text=text)), [Message(1, KEYS[0], 'https://w.example.org/"\\')], book
            )
        assert vendor.ledger[0].text == text.replace(HOLE, 'https://w.example.org/"\\')


class TestAddress:
    @pytest.mark.parametrize(
        "written",
        [KEYS[0], f" {KEYS[0]} ", f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEYS[0]}"],
    )
    def test_a_key_may_be_given_as_wecom_shows_it(self, written):
        assert ADAPTER.check_address(written) == KEYS[0]

    def test_a_webhook_of_another_house_is_refused(self):
        with pytest.raises(AddressRefused):
            ADAPTER.check_address(f"https://example.com/cgi-bin/webhook/send?key={KEYS[0]}")


class TestSettings:
    @pytest.mark.parametrize(
        "base_url",
        [
            "http://qyapi.weixin.qq.com",
            "http://192.0.2.1",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "qyapi.weixin.qq.com",
            "https://",
            "https://example.com/?key=1",
            "https://example.com:99999",
        ],
    )
    def test_an_address_that_would_show_the_key_or_makes_no_sense_is_refused(self, base_url):
        with pytest.raises(ValidationError, match="base_url"):
            ADAPTER.Settings(base_url=base_url)

    @pytest.mark.parametrize(
        "base_url", ["http://127.0.0.1:8080", "http://localhost/", "http://[::1]:80", "https://example.com"]
    )
    def test_https_anywhere_and_http_on_this_machine_are_taken(self, base_url):
        assert ADAPTER.Settings(base_url=base_url).base_url == base_url.rstrip("/")


class TestOpening:
    @pytest.mark.parametrize("host", ["x" * 70 + ".example.org", "a..example.org"])
    async def test_a_host_that_cannot_be_is_told_in_a_sentence(self, host):
        channel = ADAPTER(ADAPTER.Settings(base_url=f"https://{host}"), Inbox())
        with pytest.raises(ChannelDown, match="check base_url"):
            await channel.open()
        await channel.close()


class TestSecrets:
    @pytest.mark.parametrize(
        "script",
        [
            {"errcode": 99999},
            {"garbage": True},
            {"giant": True},
            {"status": 500},
            {"hang": True},
            {"drop_share": 1.0},
            {"redirect": True},
        ],
        ids=str,
    )
    async def test_the_robots_key_stands_in_no_log_line_and_no_outcome(self, vendor, caplog, script):
        caplog.set_level(logging.DEBUG)
        for name, value in script.items():
            setattr(vendor, name, value)
        async with opened(vendor, timeout=0.5) as channel:
            got = await outcomes(channel, KEYS[:2])
        # asyncio's own debug lines name sockets only; aiohttp's server side belongs to the simulator.
        told = "\n".join(record.getMessage() for record in caplog.records) + repr(got)
        assert not [key for key in KEYS[:2] if key in told]

    async def test_an_answer_that_echoes_the_key_is_logged_without_it_and_once(self, aiohttp_server, caplog):
        async def echo(request):
            return web.json_response({"errcode": 77777, "errmsg": f"what is {request.query['key']}?"})

        app = web.Application()
        app.router.add_post("/cgi-bin/webhook/send", echo)
        server = await aiohttp_server(app)
        channel = ADAPTER(ADAPTER.Settings(base_url=f"http://127.0.0.1:{server.port}"), Inbox())
        await channel.open()
        assert await outcomes(channel, KEYS[:3]) == [Retry(30.0, "77777")] * 3
        await channel.close()
        lines = [record.getMessage() for record in caplog.records if "77777" in record.getMessage()]
        assert len(lines) == 1
        assert "what is ***?" in lines[0]


async def test_the_text_in_the_group_is_the_frozen_text(vendor):
    async with opened(vendor) as channel:
        await outcomes(channel, KEYS[:1])
    await until(lambda: vendor.ledger)
    assert vendor.ledger[0].text == TEXT
