from __future__ import annotations

import asyncio

import pytest

from channels.base import Accepted, ChannelDown, Message, Proof, Reply, Retry, Throttled, Unknown
from channels.smpp import SmppChannel, SmppSettings, codec
from channels.smpp.simulator import SmppSimulator
from tests.channels.contract import Book, Inbox, content, until

LONG = "雨" * 150  # three parts


@pytest.fixture
async def smsc():
    smsc = SmppSimulator()
    await smsc.start()
    yield smsc
    await smsc.stop()


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def book():
    return Book()


@pytest.fixture
async def connect(smsc, inbox):
    opened = []

    async def connect(**settings):
        channel = SmppChannel(SmppSettings(**{**smsc.settings(), "window": 50, **settings}), inbox)
        await channel.open()
        opened.append(channel)
        return channel

    yield connect
    inbox.release()
    for channel in opened:
        await channel.close()


def people(count, start=0):
    return [Message(n, f"86199{n:08d}") for n in range(start, start + count)]


async def send(channel, book, count=1, start=0, **changes):
    await channel.send(channel.prepare(content(**changes)), people(count, start), book)
    return book.once()


class TestParts:
    async def test_a_long_message_is_accepted_with_one_reference_a_part(self, smsc, connect, book, inbox):
        outcomes = await send(await connect(), book, 20, text=LONG)
        assert {len(outcome.refs) for outcome in outcomes.values()} == {3}
        assert [entry.text for entry in smsc.ledger] == [LONG] * 20
        refs = {ref for outcome in outcomes.values() for ref in outcome.refs}
        await until(lambda: {receipt.ref for receipt in inbox.receipts} == refs)

    async def test_parts_pass_a_window_that_is_smaller_than_a_message(self, smsc, connect, book):
        await send(await connect(window=2), book, 10, text=LONG)
        assert len(smsc.ledger) == 10
        assert smsc.peak <= 2

    async def test_a_throttled_part_is_offered_again_and_no_other_part_is(self, smsc, connect, book):
        smsc.throttle_above = 8.0
        outcomes = await send(await connect(window=3), book, 2, text=LONG)
        taken = [outcome for outcome in outcomes.values() if isinstance(outcome, Accepted)]
        assert taken
        assert smsc.refused > 0
        assert smsc.doubled_parts == 0
        assert len(smsc.ledger) == len(taken)

    async def test_a_message_of_which_nothing_was_taken_is_throttled_as_a_whole(self, smsc, connect, book):
        smsc.throttle_above = 0.0
        outcomes = await send(await connect(), book, 2, text=LONG)
        assert {type(outcome) for outcome in outcomes.values()} == {Throttled}

    async def test_a_message_that_stays_in_part_is_unknown_not_untaken(
        self, smsc, connect, book, monkeypatch
    ):
        monkeypatch.setattr("channels.smpp.job.PART_TRIES", 2)
        monkeypatch.setattr(
            smsc, "refusal", lambda address, waiting: codec.THROTTLED if smsc.submitted > 2 else 0
        )
        smsc.latency = 0.001  # the long way, where the script is asked
        outcomes = await send(await connect(), book, 1, text=LONG)
        assert outcomes[0] == Unknown("in part: 0x00000058 throttled")

    async def test_a_line_that_breaks_between_parts_leaves_the_message_unknown(self, smsc, connect, book):
        smsc.disconnect_after = 2
        outcomes = await send(await connect(window=2), book, 3, text=LONG)
        assert outcomes[0] == Unknown("connection lost")
        assert {type(outcomes[n]) for n in (1, 2)} == {Retry}


class TestThrottle:
    async def test_the_session_slows_down_by_itself(self, smsc, connect):
        smsc.throttle_above = 40.0
        channel, waiting, accepted = await connect(window=20), people(60), set()
        while waiting:
            book = Book()
            await channel.send(channel.prepare(content()), waiting, book)
            outcomes = book.once()
            assert {type(outcome) for outcome in outcomes.values()} <= {Accepted, Throttled}
            accepted |= {d for d, outcome in outcomes.items() if isinstance(outcome, Accepted)}
            waiting = [message for message in waiting if message.delivery not in accepted]
        assert len(smsc.ledger) == 60
        assert smsc.refused <= 60

    async def test_a_full_queue_is_a_throttle(self, smsc, connect, book):
        smsc.reject = codec.QUEUE_FULL
        outcomes = await send(await connect(), book, 3)
        assert {outcome.code for outcome in outcomes.values()} == {"0x00000014 message queue full"}
        assert {type(outcome) for outcome in outcomes.values()} == {Throttled}

    async def test_a_refused_person_does_not_hurt_the_others(self, smsc, connect, book):
        smsc.reject_addresses = {"8619900000001": 0x0B}
        outcomes = await send(await connect(), book, 3)
        assert [type(outcomes[n]).__name__ for n in range(3)] == ["Accepted", "Rejected", "Accepted"]


class TestReceipts:
    @pytest.mark.parametrize(
        ("form", "script"),
        [
            ("exact", {}),
            ("exact", {"receipt_tlvs": False}),
            ("exact", {"response_ids": "hex", "receipt_ids": "HEX"}),
            ("exact", {"response_ids": "padded"}),
            ("hex", {"response_ids": "HEX", "receipt_ids": "hex"}),
            ("decimal", {"receipt_ids": "padded"}),
            ("hex-decimal", {"response_ids": "hex", "receipt_ids": "decimal"}),
            ("hex-decimal", {"response_ids": "HEX", "receipt_ids": "padded", "receipt_tlvs": False}),
            ("exact", {"receipt_early": True, "receipt_reorder": True, "receipt_duplicate": 0.3}),
            ("exact", {"receipt_delay": 0.05, "receipt_reorder": True}),
        ],
        ids=str,
    )
    async def test_each_meets_its_answer(self, smsc, connect, book, inbox, form, script):
        smsc.last_id = 4_000_000
        for name, value in script.items():
            setattr(smsc, name, value)
        outcomes = await send(await connect(id_form=form), book, 200)
        refs = {outcome.refs[0] for outcome in outcomes.values()}
        assert len(refs) == 200
        await until(lambda: {receipt.ref for receipt in inbox.receipts} >= refs)
        assert {receipt.ref for receipt in inbox.receipts} == refs
        assert {receipt.state for receipt in inbox.receipts} == {Proof.DELIVERED}

    async def test_missing_and_foreign_ones_are_neither_invented_nor_hidden(self, smsc, connect, book, inbox):
        smsc.receipt_missing, smsc.receipt_foreign = 0.2, 0.2
        outcomes = await send(await connect(), book, 300)
        refs = {outcome.refs[0] for outcome in outcomes.values()}
        await until(lambda: smsc.acknowledged == smsc.reported > 0)
        told = {receipt.ref for receipt in inbox.receipts}
        assert 0 < len(refs - told) < 150
        assert 0 < len(told - refs) < 150

    async def test_final_states_come_as_scripted(self, smsc, connect, book, inbox):
        smsc.states = {"DELIVRD": 0.5, "UNDELIV": 0.3, "EXPIRED": 0.2}
        await send(await connect(), book, 200)
        await until(lambda: len(inbox.receipts) == 200)
        states = {receipt.state for receipt in inbox.receipts}
        assert states == {Proof.DELIVERED, Proof.REJECTED, Proof.EXPIRED}
        assert {receipt.code for receipt in inbox.receipts} == {"", "UNDELIV 001", "EXPIRED 001"}

    async def test_what_was_not_acknowledged_comes_again_on_the_next_connection(
        self, smsc, connect, book, inbox
    ):
        inbox.hold = True
        channel = await connect()
        await send(channel, book, 5)
        await until(lambda: len(inbox.receipts) == 5)
        smsc.cut()
        await until(lambda: len(inbox.receipts) == 10)
        assert smsc.acknowledged == 0
        inbox.release()
        await until(lambda: smsc.acknowledged == 5)

    async def test_an_unreadable_deliver_sm_is_refused_and_the_next_is_read(self, smsc, connect, inbox):
        await connect()
        smsc.deliver([b"\0\1\1no end", smsc.receipt_body(b"8619900000001", b"77")])
        await until(lambda: inbox.receipts)
        assert inbox.receipts[0].ref == "77"


class TestReplies:
    async def test_a_person_writes_back(self, smsc, connect, inbox):
        await connect()
        smsc.reply("8619900000001", "1")
        smsc.reply("8619900000002", "收到，已转移")
        await until(lambda: len(inbox.reports) == 2)
        assert inbox.reports == [Reply("8619900000001", "1"), Reply("8619900000002", "收到，已转移")]

    async def test_a_part_of_a_long_reply_is_read_without_its_header(self, smsc, connect, inbox):
        await connect()
        part = b"\x05\x00\x03\x07\x02\x01" + "收到".encode("utf-16-be")
        smsc.deliver([smsc.deliver_body(b"8619900000001", codec.ESM_UDHI, 8, part)])
        await until(lambda: inbox.reports)
        assert inbox.reports == [Reply("8619900000001", "收到")]

    async def test_a_share_of_people_may_be_scripted_to_answer(self, smsc, connect, book, inbox):
        smsc.reply_share = 0.5
        await send(await connect(), book, 100)
        await until(lambda: smsc.acknowledged == smsc.reported > 120)
        replies = [report for report in inbox.reports if isinstance(report, Reply)]
        assert 20 < len(replies) < 80
        assert {reply.text for reply in replies} == {"1"}


class TestLine:
    async def test_it_comes_back_by_itself_and_sends_again(self, smsc, connect, book):
        channel = await connect()
        await send(channel, book)
        smsc.cut()
        await until(lambda: smsc.binds == 2 and channel._pool._sessions)
        assert type((await send(channel, Book(), 1, 10))[10]) is Accepted

    async def test_it_comes_back_after_the_smsc_was_away(self, smsc, connect, book):
        channel = await connect()
        await smsc.stop()
        await until(lambda: not channel._pool._sessions)
        outcomes = await send(channel, book)
        assert outcomes == {0: Retry(1.0, "connection lost")}
        await smsc.start()
        await until(lambda: channel._pool._sessions)
        assert type((await send(channel, Book(), 1, 10))[10]) is Accepted

    async def test_unbind_by_the_peer_in_the_middle_loses_nothing(self, smsc, connect):
        smsc.unbind_after = 7
        channel, waiting, accepted = await connect(window=5), people(30), set()
        while waiting:
            book = Book()
            await channel.send(channel.prepare(content()), waiting, book)
            outcomes = book.once()
            assert sorted(outcomes) == [message.delivery for message in waiting]
            accepted |= {d for d, o in outcomes.items() if isinstance(o, (Accepted, Unknown))}
            waiting = [message for message in waiting if message.delivery not in accepted]
            if waiting:
                await until(lambda: any(session.bound for session in smsc.sessions))
        assert {entry.address for entry in smsc.ledger} == {message.address for message in people(30)}

    async def test_a_silent_peer_is_given_up(self, smsc, connect):
        await connect(enquire_interval=0.1, timeout=0.3)
        smsc.hang = True
        await until(lambda: not smsc.sessions)
        smsc.hang = False
        await until(lambda: smsc.binds == 2)

    async def test_a_peer_that_ignores_only_enquire_link_is_given_up_as_well(self, smsc, connect):
        smsc.silent_enquire = True
        await connect(enquire_interval=0.1, timeout=0.3)
        await until(lambda: smsc.binds >= 2)

    async def test_an_idle_line_is_kept_alive(self, smsc, connect, book):
        channel = await connect(enquire_interval=0.05, timeout=0.2)
        await asyncio.sleep(1.0)
        assert smsc.binds == 1
        assert type((await send(channel, book))[0]) is Accepted

    async def test_an_enquiry_of_the_peer_is_answered(self, smsc, connect):
        await connect()
        (session,) = smsc.sessions
        heard = []
        session._control = lambda command, sequence, body, out: heard.append((command, sequence))
        session._write([codec.pdu(codec.ENQUIRE_LINK, 0, 99), codec.pdu(0x77, 0, 100)])
        await until(lambda: len(heard) == 2)
        assert heard == [(codec.ENQUIRE_LINK_RESP, 99), (codec.GENERIC_NACK, 100)]

    async def test_several_connections_share_the_work(self, smsc, connect, book):
        smsc.latency = 0.05
        channel = await connect(connections=3, window=4)
        assert smsc.binds == 3
        await send(channel, book, 60)
        assert smsc.peak <= 4
        assert len(smsc.ledger) == 60
        assert all(session._taken for session in smsc.sessions)

    async def test_one_connection_of_several_may_break(self, smsc, connect, book):
        smsc.latency = 0.02
        channel = await connect(connections=2, window=4)
        task = asyncio.create_task(send(channel, book, 200))
        await until(lambda: len(smsc.ledger) > 20)
        smsc.sessions[0].abort()
        outcomes = await task
        assert sum(isinstance(outcome, Unknown) for outcome in outcomes.values()) <= 4
        assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Retry)]

    @pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"system_id": "wrong"}], ids=str)
    async def test_a_refused_bind_names_the_settings(self, connect, wrong):
        with pytest.raises(ChannelDown, match="system_id, password") as down:
            await connect(**wrong)
        assert "invented" not in str(down.value)

    async def test_tls_to_a_peer_that_speaks_none_is_told_in_a_sentence(self, connect):
        with pytest.raises(ChannelDown, match="no connection to 127"):
            await connect(tls=True, timeout=1.0)

    async def test_a_peer_that_hangs_at_the_bind_is_given_up(self, smsc, connect):
        smsc.hang = True
        with pytest.raises(ChannelDown, match="no answer within"):
            await connect(timeout=0.2)

    async def test_closing_waits_for_answers_that_are_under_way(self, smsc, connect, book):
        smsc.latency = 0.2
        channel = await connect()
        task = asyncio.create_task(send(channel, book, 10))
        await until(lambda: len(smsc.ledger) == 10)
        await channel.close()
        assert {type(outcome) for outcome in (await task).values()} == {Accepted}

    async def test_closing_gives_back_what_was_not_written(self, smsc, connect, book):
        smsc.latency = 0.2
        channel = await connect(window=5)
        task = asyncio.create_task(send(channel, book, 50))
        await until(lambda: len(smsc.ledger) == 5)
        await channel.close()
        kinds = [type(outcome).__name__ for _, outcome in sorted((await task).items())]
        assert kinds == ["Accepted"] * 5 + ["Retry"] * 45

    async def test_a_late_answer_is_not_reported_twice(self, smsc, connect, book, inbox):
        smsc.latency = 0.4
        channel = await connect(timeout=0.1, enquire_interval=5.0)
        assert await send(channel, book, 2) == {0: Unknown("timeout"), 1: Unknown("timeout")}
        await until(lambda: len(inbox.receipts) == 2)
        book.once()

    async def test_sequence_numbers_start_again(self, smsc, connect, book):
        channel = await connect(window=3)
        channel._pool._sessions[0].window.sequence = 0x7FFFFFFF - 5
        assert {type(outcome) for outcome in (await send(channel, book, 20)).values()} == {Accepted}
        assert channel._pool._sessions[0].window.sequence < 20

    async def test_time_runs_out_across_the_turn_of_the_sequence(self, smsc, connect, book):
        smsc.drop = 1.0
        channel = await connect(timeout=0.2, window=4)
        channel._pool._sessions[0].window.sequence = 0x7FFFFFFF - 2
        assert {type(outcome) for outcome in (await send(channel, book, 8)).values()} == {Unknown}
