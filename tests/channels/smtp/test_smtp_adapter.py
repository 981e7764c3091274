from __future__ import annotations

import asyncio
import logging
import re

import pytest

from channels import base
from channels.errand import Errand
from channels.smtp import pool
from channels.smtp.adapter import SmtpChannel, xtext
from channels.smtp.simulator import SmtpSimulator
from tests.channels.contract import DEADLINE, Book, Inbox, content, until


@pytest.fixture
async def server():
    simulator = SmtpSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def opened(server):
    running = []

    async def make(**changes):
        channel = SmtpChannel(SmtpChannel.Settings(**{**server.settings(), **changes}), Inbox())
        await channel.open()
        running.append(channel)
        return channel

    yield make
    for channel in running:
        await channel.close()


def messages(count, start=1):
    return [base.Message(n, f"contact.{n}@example.org") for n in range(start, start + count)]


async def send(channel, rows, **changes):
    book = Book()
    async with asyncio.timeout(DEADLINE):
        await channel.send(channel.prepare(content(**changes)), rows, book)
    return book.once()


class TestOutcomes:
    """S6: no address or fill rewrites the recipient or ends a command."""

    async def test_an_answer_lands_on_its_recipient_only(self, server, opened):
        server.replies = {
            "contact.1@example.org": "550 5.1.1 <contact.1@example.org> unknown",
            "contact.3@example.org": "451 4.3.0 try later",
        }
        server.data_replies = {"contact.5@example.org": "554 5.7.1 unwanted"}
        outcomes = await send(await opened(window=1), messages(6))
        assert outcomes[1] == base.Rejected("550 5.1.1")
        assert outcomes[3] == base.Retry(60.0, "451 4.3.0")
        assert outcomes[5] == base.Rejected("554 5.7.1")
        assert [type(outcomes[n]) for n in (2, 4, 6)] == [base.Accepted] * 3
        assert server.sessions == 1, "RSET keeps the connection after a refusal"

    async def test_greylisting_is_tried_again_with_success(self, server, opened):
        server.greylist = 60
        channel = await opened()
        assert await send(channel, messages(1)) == {1: base.Retry(60.0, "451 4.7.1")}
        server.greylist = 0.1
        await asyncio.sleep(0.15)
        assert isinstance((await send(channel, messages(1)))[1], base.Accepted)

    async def test_a_second_copy_has_the_same_message_id(self, server, opened):
        channel = await opened()
        first, second = await send(channel, messages(1)), await send(channel, messages(1))
        assert first == second == {1: base.Accepted(("r-20260722-0001.1@gateway.example.org",))}
        assert {entry.ref for entry in server.ledger} == {"r-20260722-0001.1@gateway.example.org"}

    async def test_a_cut_after_the_text_is_unknown_and_before_it_is_tried_again(self, server, opened):
        server.drop_answer = 1.0
        channel = await opened()
        assert await send(channel, messages(1)) == {1: base.Unknown("lost")}
        server.drop_answer, server.disconnect = 0.0, 1.0
        assert await send(channel, messages(1, start=2)) == {2: base.Retry(2.0, "lost")}
        assert [entry.address for entry in server.ledger] == ["contact.1@example.org"]

    async def test_a_server_that_answers_nothing_before_the_text_has_taken_nothing(self, server, opened):
        channel = await opened(command_timeout=0.2)
        server.hang = True
        assert await send(channel, messages(1)) == {1: base.Retry(2.0, "timeout")}

    async def test_a_late_answer_is_never_taken_for_the_next_one(self, server, opened):
        server.latency = 0.4
        channel = await opened(window=1, timeout=0.2)
        first = await send(channel, messages(1))
        server.latency = 0.0
        server.replies = {"contact.2@example.org": "550 5.1.1 unknown"}
        second = await send(channel, messages(1, start=2))
        assert first == {1: base.Unknown("timeout")}
        assert second == {2: base.Rejected("550 5.1.1")}
        assert server.sessions == 2

    async def test_an_address_that_would_end_the_command_never_reaches_the_server(self, server, opened):
        bad = [
            "a@example.org> NOTIFY=NEVER",
            "a@example.org\r\nRSET",
            "a b@example.org",
            "",
            "李@example.org",
        ]
        rows = [base.Message(n, address) for n, address in enumerate(bad)]
        assert set((await send(await opened(), rows)).values()) == {base.Rejected("address")}
        assert server.mails == []

    async def test_a_fill_with_a_line_break_never_reaches_the_server(self, server, opened):
        rows = [base.Message(1, "a@example.org", "https://w.example.org\r\n.\r\nMAIL FROM:<x@example.com>")]
        assert await send(await opened(), rows) == {1: base.Rejected("fill")}
        assert server.mails == []


class TestGate:
    async def test_a_gate_that_shuts_before_the_text_holds_what_the_server_already_waits_for(
        self, server, opened
    ):
        channel, book, answers = await opened(window=1), Book(), iter([True, False])
        sessions = server.sessions
        await channel.send(channel.prepare(content()), messages(3), book, lambda: next(answers, False))
        assert book.once() == dict.fromkeys((1, 2, 3), base.HELD)
        assert isinstance((await send(channel, messages(1, start=4)))[4], base.Accepted)
        assert [entry.address for entry in server.ledger] == ["contact.4@example.org"]
        assert server.sessions == sessions + 1, "the connection that waited for the text is gone"

    async def test_a_gate_that_is_shut_from_the_start_costs_no_connection(self, server, opened):
        channel, book = await opened(window=1), Book()
        sessions = server.sessions
        await channel.send(channel.prepare(content()), messages(3), book, lambda: False)
        assert book.once() == dict.fromkeys((1, 2, 3), base.HELD)
        await send(channel, messages(1, start=4))
        assert server.sessions == sessions

    async def test_a_worker_that_waits_in_vain_for_a_connection_is_sent_home(self):
        errand = Errand(None, [], Book(), base.always)
        workers = [asyncio.create_task(asyncio.Event().wait()), asyncio.create_task(asyncio.sleep(0))]
        async with asyncio.timeout(DEADLINE):
            await errand.over(workers)
        assert workers[0].cancelled()


class TestSession:
    async def test_connections_are_used_again_and_worn_out_after_so_many_messages(self, server, opened):
        channel = await opened(window=2, reuse_messages=10)
        outcomes = await send(channel, messages(40))
        assert {type(outcome) for outcome in outcomes.values()} == {base.Accepted}
        assert server.sessions in (4, 5)

    async def test_a_rested_connection_is_replaced(self, server, opened):
        channel = await opened(window=1, reuse_idle=0.01)
        await send(channel, messages(1))
        before = server.sessions
        await asyncio.sleep(0.05)
        await send(channel, messages(1, start=2))
        assert server.sessions == before + 1

    async def test_a_server_with_fewer_places_is_served_with_those(self, server, opened):
        server.most_sessions = 2
        outcomes = await send(await opened(window=6), messages(30))
        assert {type(outcome) for outcome in outcomes.values()} == {base.Accepted}

    async def test_a_server_gone_away_gives_every_message_back(self, server, opened, monkeypatch):
        monkeypatch.setattr(pool, "CONNECT_TRIES", 1)
        channel = await opened(window=3)
        await server.stop()
        outcomes = await send(channel, messages(50))
        assert {outcome.code for outcome in outcomes.values()} <= {"lost", "connect"}
        assert {type(outcome) for outcome in outcomes.values()} == {base.Retry}

    async def test_a_server_that_comes_back_is_found_again(self, server, opened, monkeypatch):
        monkeypatch.setattr(pool, "CONNECT_TRIES", 1)
        monkeypatch.setattr(pool, "DOWN_FOR", 0.01)
        channel = await opened(window=1, connect_timeout=0.3, command_timeout=0.3)
        server.hang = True
        assert isinstance((await send(channel, messages(1)))[1], base.Retry)
        server.hang = False
        await asyncio.sleep(0.02)
        assert isinstance((await send(channel, messages(1)))[1], base.Accepted)

    async def test_a_closed_channel_gives_messages_back(self, opened):
        channel = await opened()
        await channel.close()
        assert await send(channel, messages(2)) == {n: base.Retry(5.0, "connect") for n in (1, 2)}


class TestEnvelope:
    async def test_reports_are_asked_for_only_where_they_are_offered(self, server, opened):
        server.dsn = False
        outcomes = await send(await opened(), messages(3))
        assert {type(outcome) for outcome in outcomes.values()} == {base.Accepted}

    async def test_eight_bit_text_goes_only_where_it_is_offered(self, server, opened):
        await send(await opened(), messages(1))
        server.eight_bit = False
        await send(await opened(), messages(1, start=2))
        assert [mail.isascii() for mail in server.mails] == [False, True]
        assert len({entry.text for entry in server.ledger}) == 1

    @pytest.mark.parametrize(
        ("plain", "coded"),
        [
            ("li@example.org", "li@example.org"),
            ("a+b=c@example.org", "a+2Bb+3Dc@example.org"),
            ("a b", "a+20b"),
        ],
    )
    def test_xtext_escapes_what_rfc_3461_asks(self, plain, coded):
        assert xtext(plain) == coded


async def test_no_log_line_holds_an_address_or_a_secret(server, caplog):
    inbox = Inbox()
    settings = SmtpChannel.Settings(**server.settings())
    listener = SmtpChannel.listener(settings, inbox)
    channel = SmtpChannel(settings, inbox)
    with caplog.at_level(logging.DEBUG):
        await listener.start()
        await channel.open()
        server.replies = {"contact.2@example.org": "550 5.1.1 <contact.2@example.org> unknown"}
        await send(channel, messages(3))
        await until(lambda: len(inbox.receipts) >= 2)
        await channel.close()
        await listener.stop()
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert not re.search(r"contact\.|@|invented-key", logged)


def test_it_runs_on_uvloop_as_well():
    uvloop = pytest.importorskip("uvloop")

    async def whole():
        server, inbox = SmtpSimulator(), Inbox()
        await server.start()
        settings = SmtpChannel.Settings(**server.settings(), window=2, timeout=0.5)
        listener, channel = SmtpChannel.listener(settings, inbox), SmtpChannel(settings, inbox)
        await listener.start()
        await channel.open()
        outcomes = await send(channel, messages(10))
        await until(lambda: len(inbox.receipts) == 10)
        server.silent = 1.0
        outcomes |= await send(channel, messages(1, start=11))
        await channel.close()
        await listener.stop()
        await server.stop()
        return [type(outcome) for outcome in outcomes.values()]

    assert uvloop.run(whole()) == [base.Accepted] * 10 + [base.Unknown]
