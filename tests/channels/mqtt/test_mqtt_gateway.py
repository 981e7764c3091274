"""Channel, listener, broker and terminals together, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time

import aiomqtt
import pytest

from channels.base import Accepted, ChannelDown, DeviceState, Message, Proof, Retry, Unknown, always
from channels.errand import Errand
from channels.mqtt import MqttChannel
from channels.mqtt import listener as listener_module
from channels.mqtt.counter import Beacon, Counter
from channels.mqtt.settings import MqttSettings
from channels.mqtt.simulator import MqttSimulator
from tests.channels.contract import TEXT, Book, Inbox, content, until

HORNS = [f"330726101001/horn-{number:03d}" for number in range(300)]


@pytest.fixture
async def village():
    simulator = MqttSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


def route(simulator, **changes):
    return MqttSettings(**{**simulator.settings(), **changes})


@contextlib.asynccontextmanager
async def opened(settings):
    channel = MqttChannel(settings, Inbox())
    await channel.open()
    try:
        yield channel
    finally:
        await channel.close()


@contextlib.asynccontextmanager
async def listening(settings, inbox):
    listener = MqttChannel.listener(settings, inbox)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop()


async def hand_over(channel, addresses, start=0, **changes):
    """Send one message to each address; return the outcomes in order."""
    book = Book()
    messages = [Message(start + number, address) for number, address in enumerate(addresses)]
    await channel.send(channel.prepare(content(**changes)), messages, book)
    outcomes = book.once()
    return [outcomes[message.delivery] for message in messages]


def done(inbox):
    """Return the deliveries that a terminal proved to have read out."""
    return {receipt.delivery for receipt in inbox.receipts if receipt.state is Proof.DELIVERED}


@contextlib.asynccontextmanager
async def stranger(simulator, *topics):
    """Someone else with the broker's password, who hears the given topics."""
    settings = simulator.settings()
    async with aiomqtt.Client(
        settings["host"], settings["port"], username=settings["username"], password=settings["password"]
    ) as client:
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield client


async def heard(client, count):
    """Return the next so many messages that the stranger hears."""
    async with asyncio.timeout(20):
        return [await anext(client.messages) for _ in range(count)]


class TestWholeWay:
    async def test_three_hundred_loudspeakers_play_and_prove_it(self, village):
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            outcomes = await hand_over(channel, HORNS)
            assert {type(outcome) for outcome in outcomes} == {Accepted}
            await until(lambda: len(done(inbox)) == len(HORNS))
        assert sorted(entry.address for entry in village.ledger) == HORNS
        assert {entry.text for entry in village.ledger} == {TEXT}
        refs = {outcome.refs[0] for outcome in outcomes}
        assert {entry.ref for entry in village.ledger} == refs == {receipt.ref for receipt in inbox.receipts}

    async def test_a_terminal_that_refuses_is_told_as_rejected_and_played_nothing(self, village):
        village.refuse_share = 1.0
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            await hand_over(channel, HORNS[:3])
            await until(lambda: len(inbox.receipts) == 3)
        assert {(receipt.state, receipt.code) for receipt in inbox.receipts} == {(Proof.REJECTED, "refused")}
        assert village.ledger == []

    async def test_acks_that_are_lost_prove_nothing(self, village):
        village.drop_ack_share = 1.0
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            await hand_over(channel, HORNS[:3])
            await until(lambda: len(village.ledger) == 3)
            await asyncio.sleep(0.2)
        assert inbox.receipts == []

    async def test_doubled_acks_all_come_and_say_the_same(self, village):
        village.duplicate_acks = 2
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            await hand_over(channel, HORNS[:2])
            await until(lambda: len(inbox.receipts) == 2 * 3 * 3)
        assert done(inbox) == {0, 1}


class TestBroker:
    async def test_while_the_broker_is_away_nothing_left_and_afterwards_it_goes_on(self, village):
        async with opened(route(village)) as channel:
            await village.stop()
            await until(lambda: channel._link.client is None)
            assert await hand_over(channel, HORNS[:3]) == [Retry(2.0, "broker-down")] * 3
            await village.start()
            await until(lambda: channel._link.client is not None)
            assert [type(outcome) for outcome in await hand_over(channel, HORNS[:3])] == [Accepted] * 3

    async def test_a_connection_lost_before_the_puback_is_unknown_and_the_late_ack_heals_it(self, village):
        village.cut_every = 1
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            assert await hand_over(channel, HORNS[:1]) == [Unknown("connection-lost")]
            await until(lambda: done(inbox) == {0})

    async def test_a_puback_that_never_comes_is_unknown_and_the_late_ack_heals_it(self, village):
        village.silent_share = 1.0
        inbox = Inbox()
        settings = route(village, timeout=0.3)
        async with listening(settings, inbox), opened(settings) as channel:
            assert await hand_over(channel, HORNS[:2]) == [Unknown("timeout")] * 2
            await until(lambda: done(inbox) == {0, 1})

    async def test_a_second_copy_is_dropped_by_the_terminal_and_told_again(self, village):
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            first = await hand_over(channel, HORNS[:1])
            await until(lambda: done(inbox) == {0})
            before = len(inbox.receipts)
            assert await hand_over(channel, HORNS[:1]) == first
            await until(lambda: len(inbox.receipts) > before)
        assert len(village.ledger) == 1
        assert inbox.receipts[-1].state is Proof.DELIVERED

    async def test_what_was_accepted_is_played_even_if_the_sender_leaves_at_once(self, village):
        async with opened(route(village)) as channel:
            await hand_over(channel, HORNS[:50])
        await until(lambda: len(village.ledger) == 50)

    async def test_a_wrong_password_names_the_setting_and_not_the_password(self, village):
        channel = MqttChannel(route(village, password="invented-wrong"), Inbox())
        with pytest.raises(ChannelDown, match="check username and password") as down:
            await channel.open()
        assert "invented-wrong" not in str(down.value)
        await channel.close()

    async def test_a_broker_that_takes_the_connection_and_is_silent_is_down(self):
        async def nothing(reader, writer):
            await reader.read()
            writer.close()

        server = await asyncio.start_server(nothing, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = MqttSettings(
            host="127.0.0.1", port=port, tls=False, fleet_key="x" * 32, connect_timeout=0.3
        )
        channel = MqttChannel(settings, Inbox())
        with pytest.raises(ChannelDown, match="cannot be reached"):
            await channel.open()
        await channel.close()
        server.close()
        await server.wait_closed()

    @pytest.mark.parametrize("host", ["", "x" * 70 + ".example.org", "喇叭..example.org"])
    @pytest.mark.parametrize("tls", [True, False])
    async def test_a_host_that_cannot_be_is_told_in_a_sentence(self, host, tls):
        channel = MqttChannel(MqttSettings(host=host, tls=tls, fleet_key="x" * 32), Inbox())
        with pytest.raises(ChannelDown, match="check host"):
            await channel.open()
        await channel.close()

    async def test_two_processes_never_count_backwards_for_a_terminal(self, village):
        settings = route(village)
        async with opened(settings) as one, opened(settings) as other:
            for number in range(10):
                sender = (one, other)[number % 2]
                await hand_over(sender, HORNS[:1], start=number)
        await until(lambda: len(village.ledger) == 10)
        assert not village.terminal(HORNS[0]).refused

    async def test_a_broker_that_hangs_gives_unknown_and_nobody_hears_anything(self, village):
        village.hang = True
        async with opened(route(village, timeout=0.3)) as channel:
            assert await hand_over(channel, HORNS[:2]) == [Unknown("timeout")] * 2
            village.hang = False
            assert [type(outcome) for outcome in await hand_over(channel, HORNS[2:3])] == [Accepted]
        await until(lambda: village.settled)
        assert [entry.address for entry in village.ledger] == HORNS[2:3]

    async def test_a_message_that_waits_for_room_ends_when_others_have_taken_the_rest(self, village):
        """Two sends share a window of one: each returns when its own messages are told."""
        village.latency = 0.05
        async with opened(route(village, window=1)) as channel:
            both = await asyncio.gather(
                hand_over(channel, HORNS[:3]), hand_over(channel, HORNS[3:6], start=3)
            )
        assert [type(outcome) for outcomes in both for outcome in outcomes] == [Accepted] * 6

    async def test_a_lane_that_waits_in_vain_for_room_is_sent_home(self):
        errand = Errand(None, [], Book(), always)
        lanes = [asyncio.create_task(asyncio.Event().wait()), asyncio.create_task(asyncio.sleep(0))]
        async with asyncio.timeout(20):
            await errand.over(lanes)
        assert lanes[0].cancelled()


class TestClocksThatDiffer:
    """Senders on two hosts; the second one's clock is 30 seconds behind the first one's."""

    @pytest.fixture
    async def fast(self, village):
        async with sender(village, 0) as channel:
            yield channel

    @staticmethod
    def heard(channel, other):
        return lambda: channel._counter.next() > other._counter._last

    async def test_the_sender_that_is_behind_is_played_after_the_one_ahead(self, village, fast):
        async with sender(village, -30) as slow:
            for number in range(6):
                first, second = (fast, slow) if number % 2 else (slow, fast)
                await hand_over(first, HORNS[:1], start=2 * number)
                await until(self.heard(second, first))
                await hand_over(second, HORNS[:1], start=2 * number + 1)
        await until(lambda: village.settled)
        assert len(village.ledger) == 12
        assert village.terminal(HORNS[0]).refused == {}

    async def test_one_that_comes_later_hears_how_far_the_last_one_was(self, village, fast):
        await hand_over(fast, HORNS[:1])
        async with sender(village, -3600) as slow:
            await until(self.heard(slow, fast))
            await hand_over(slow, HORNS[:1], start=1)
            await until(lambda: len(village.ledger) == 2)
        assert village.terminal(HORNS[0]).refused == {}

    async def test_a_stranger_cannot_drive_the_counters_up(self, village, fast):
        before = fast._counter.next()
        topic = fast.settings.counter_topic
        async with stranger(village) as client:
            for frame in (b'{"counter":4000000000000000}', Beacon(b"x" * 32).write(2**51)):
                await client.publish(topic, frame, qos=1, retain=True)
            own = Beacon(fast.settings.master).write(before + 60_000_000)
            await client.publish(topic, own, qos=1)
            await until(lambda: fast._counter.next() > before + 60_000_000)
        assert fast._counter.next() < before + 600_000_000


@contextlib.asynccontextmanager
async def sender(simulator, seconds):
    """A sender on a host of its own, whose clock is so many seconds off."""
    async with opened(route(simulator)) as channel:
        channel._counter = Counter(lambda: time.time_ns() + seconds * 10**9)
        yield channel


class TestListener:
    async def test_what_is_told_while_the_listener_is_away_waits_for_it(self, village):
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox):
            pass
        async with opened(settings) as channel:
            await hand_over(channel, HORNS[:20])
            await until(lambda: len(village.ledger) == 20)
            await asyncio.sleep(0.2)
        assert inbox.reports == []
        async with listening(settings, inbox):
            await until(lambda: done(inbox) == set(range(20)))

    async def test_what_was_not_durable_when_the_listener_fell_comes_again(self, village):
        inbox = Inbox(hold=True)
        settings = route(village)
        async with opened(settings) as channel:
            async with listening(settings, inbox):
                await hand_over(channel, HORNS[:5])
                await until(lambda: len(done(inbox)) == 5)
            assert village.acknowledged == 0
            again = Inbox()
            async with listening(settings, again):
                await until(lambda: done(again) == set(range(5)))
                await until(lambda: village.acknowledged >= 15)

    async def test_an_acknowledgement_after_the_connection_is_gone_does_no_harm(self, village):
        inbox = Inbox(hold=True)
        settings = route(village)
        async with opened(settings) as channel, listening(settings, inbox):
            await hand_over(channel, HORNS[:1])
            await until(lambda: done(inbox))
        inbox.release()
        assert village.acknowledged == 0

    async def test_the_listener_comes_back_after_the_broker_fell(self, village):
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            await village.stop()
            await until(lambda: channel._link.client is None)
            await village.start()
            await until(lambda: channel._link.client is not None)
            async with asyncio.timeout(20):
                while not done(inbox):
                    await hand_over(channel, HORNS[:1], start=len(inbox.reports))
                    await asyncio.sleep(0.2)

    async def test_forged_acks_change_nothing_and_are_counted(self, village):
        village.forged_acks = True
        village.drop_ack_share = 1.0
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox) as listener, opened(settings) as channel:
            await hand_over(channel, HORNS[:10])
            await until(lambda: listener.refused.total() == 20)
        assert listener.refused == {"forged": 10, "unsigned": 10}
        assert inbox.receipts == []

    async def test_reports_that_never_become_durable_are_asked_for_again_and_do_not_block_the_rest(
        self, village, monkeypatch
    ):
        monkeypatch.setattr(listener_module, "DURABLE_WITHIN", 0.3)
        inbox, left = Inbox(), []

        def sink(reports, acknowledge):
            if left:
                inbox(reports, acknowledge)
            left.append(reports)  # the first batch is never acknowledged

        settings = route(village)
        async with listening(settings, sink), opened(settings) as channel:
            await hand_over(channel, HORNS[:1])
            await until(lambda: left)
            await hand_over(channel, HORNS[1:6], start=1)
            await until(lambda: done(inbox) == set(range(6)))
            await until(lambda: village.acknowledged >= 18)

    async def test_acks_that_overtake_one_another_prove_the_same(self, village):
        village.ack_spread = 0.3
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            await hand_over(channel, HORNS[:10])
            await until(lambda: len(inbox.receipts) == 30)
        assert done(inbox) == set(range(10))
        told = {n: [r.code for r in inbox.receipts if r.delivery == n] for n in range(10)}
        assert [n for n, codes in told.items() if codes[-1] != "done"], "none came out of order"

    async def test_the_genuine_ack_among_forged_ones_is_taken(self, village):
        village.forged_acks = True
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            await hand_over(channel, HORNS[:5])
            await until(lambda: done(inbox) == set(range(5)))
        assert len(inbox.receipts) == 15

    async def test_a_terminal_cannot_tell_for_its_neighbour(self, village):
        inbox = Inbox()
        village.drop_ack_share = 1.0
        settings = route(village)
        async with listening(settings, inbox) as listener, opened(settings) as channel:
            [accepted] = await hand_over(channel, HORNS[:1])
            neighbour = village.terminal(HORNS[1])
            lie = neighbour.ack(accepted.refs[0], "done", 1_790_000_000.0)
            async with stranger(village) as client:
                for address in HORNS[:2]:
                    await client.publish(settings.topic(address, "ack"), lie, qos=1)
                await until(lambda: listener.refused.total() == 2)
        assert listener.refused == {"forged": 1, "foreign": 1}
        assert inbox.receipts == []

    async def test_noise_on_the_topics_stops_nothing(self, village):
        inbox = Inbox()
        settings = route(village)
        async with listening(settings, inbox) as listener, opened(settings) as channel:
            async with stranger(village) as client:
                for address in (HORNS[0], "330726101001/喇叭", "x/y"):
                    for noise in (b"", b"\xff" * 100, b"x" * 5000, b"{}"):
                        await client.publish(settings.topic(address, "ack"), noise, qos=1)
            await until(lambda: listener.refused.total() == 12)
            await hand_over(channel, HORNS[:1])
            await until(lambda: done(inbox) == {0})

    async def test_a_broker_that_does_not_let_us_read_is_told_in_a_sentence(self, village, monkeypatch):
        async def refuse(subscription, session):
            return 0x80

        monkeypatch.setattr(village._broker, "add_subscription", refuse)
        listener = MqttChannel.listener(route(village), Inbox())
        with pytest.raises(ChannelDown, match="give that user the right"):
            await listener.start()

    async def test_a_sink_of_ours_that_fails_does_not_end_the_listening(self, village):
        inbox, faults = Inbox(), [ValueError("invented fault")]

        def sink(reports, acknowledge):
            if faults:
                raise faults.pop()
            inbox(reports, acknowledge)

        settings = route(village)
        async with listening(settings, sink), opened(settings) as channel:
            await hand_over(channel, HORNS[:1])
            await until(lambda: done(inbox) == {0})


class TestStates:
    def states(self, inbox):
        return [(r.device, r.online) for r in inbox.reports if isinstance(r, DeviceState)]

    async def test_a_terminal_that_falls_away_is_told_by_its_last_will(self, village):
        inbox = Inbox()
        village.terminals = HORNS[:3]
        async with listening(route(village), inbox):
            await until(lambda: sorted(self.states(inbox)) == [(horn, True) for horn in HORNS[:3]])
            village.offline = HORNS[1:2]
            await until(lambda: self.states(inbox)[3:] == [(HORNS[1], False)])
            village.offline = []
            await until(lambda: self.states(inbox)[4:] == [(HORNS[1], True)])
        wills = [r for r in inbox.reports if isinstance(r, DeviceState) and not r.online]
        assert [will.at for will in wills] == [None]

    async def test_a_listener_that_starts_later_learns_the_states_that_are_kept(self, village):
        village.terminals = HORNS[:10]
        village.offline = HORNS[:4]
        await until(lambda: len(village._broker.retained_messages) == 10)
        inbox = Inbox()
        async with listening(route(village), inbox):
            await until(lambda: len(self.states(inbox)) >= 10)
        assert {horn for horn, online in self.states(inbox) if not online} == set(HORNS[:4])

    async def test_a_command_to_a_terminal_off_line_is_accepted_and_played_when_it_is_back(self, village):
        inbox = Inbox()
        village.offline = HORNS[:1]
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            [outcome] = await hand_over(channel, HORNS[:1])
            assert isinstance(outcome, Accepted)
            await until(lambda: village.settled)
            assert village.ledger == []
            village.offline = []
            await until(lambda: done(inbox) == {0})
        assert len(village.ledger) == 1

    async def test_a_command_that_expired_meanwhile_is_not_played(self, village):
        inbox = Inbox()
        village.offline = HORNS[:1]
        settings = route(village)
        async with listening(settings, inbox), opened(settings) as channel:
            past = content().sent
            await hand_over(channel, HORNS[:1], expires=past)
            await until(lambda: village.settled)
            village.offline = []
            await until(lambda: inbox.receipts)
        assert [(receipt.state, receipt.code) for receipt in inbox.receipts] == [(Proof.REJECTED, "expired")]
        assert village.ledger == []

    async def test_a_share_of_many_terminals_off_line_is_told_one_by_one(self, village):
        inbox = Inbox()
        village.offline_share = 0.3
        village.terminals = HORNS[:40]
        async with listening(route(village), inbox):
            await until(lambda: len(self.states(inbox)) >= 40)
        gone = {horn for horn, online in self.states(inbox) if not online}
        assert gone == {horn for horn in HORNS[:40] if village._is_offline(horn)}
        assert 0 < len(gone) < 40


class TestReplayAndForgery:
    """S11 of the fault plan, over the air: somebody records and sends what he likes."""

    @pytest.fixture
    async def recorded(self, village):
        """Return (channel, stranger, frame) after one genuine command to the first horn was played."""
        settings = route(village)
        topic = settings.topic(HORNS[0], "cmd")
        async with opened(settings) as channel, stranger(village, topic) as client:
            await hand_over(channel, HORNS[:1])
            [message] = await heard(client, 1)
            await until(lambda: len(village.ledger) == 1)
            yield channel, client, message.payload

    async def attack(self, village, client, address, frames):
        """Send frames to a terminal and wait until it has judged all of them."""
        before = village._handled
        for frame in frames:
            await client.publish(f"ews/{address}/cmd", frame, qos=1)
        await until(lambda: village._handled >= before + len(frames))

    async def genuine(self, village, channel, address, number=99):
        """The next genuine command is played."""
        before = len(village.ledger)
        await hand_over(channel, [address], start=number)
        await until(lambda: len(village.ledger) == before + 1)
        assert village.ledger[-1].address == address

    async def test_a_recorded_frame_is_played_0_times(self, village, recorded):
        channel, client, frame = recorded
        await self.attack(village, client, HORNS[0], [frame] * 20)
        assert len(village.ledger) == 1
        await self.genuine(village, channel, HORNS[0])

    async def test_a_frame_for_one_terminal_is_played_0_times_by_the_others(self, village, recorded):
        channel, client, frame = recorded
        for address in HORNS[1:10]:
            await self.attack(village, client, address, [frame])
            assert village.terminal(address).refused == {"forged": 1}
        assert len(village.ledger) == 1
        await self.genuine(village, channel, HORNS[1])

    async def test_turned_bits_are_played_0_times(self, village, recorded):
        channel, client, frame = recorded
        turned = [
            bytes(byte ^ (1 << (place % 8)) if at == place else byte for at, byte in enumerate(frame))
            for place in range(0, len(frame), 3)
        ]
        await self.attack(village, client, HORNS[0], turned)
        assert len(village.ledger) == 1
        await self.genuine(village, channel, HORNS[0])

    async def test_an_older_command_held_back_and_sent_later_is_played_0_times(self, village, recorded):
        channel, client, _ = recorded
        prepared = channel.prepare(content())
        _, held_back = channel._frame(prepared, Message(50, HORNS[0]))
        await self.genuine(village, channel, HORNS[0], 51)
        await self.attack(village, client, HORNS[0], [held_back])
        assert len(village.ledger) == 2
        assert village.terminal(HORNS[0]).refused["counter"] == 1
        assert village.stats() | {"ledger": 2, "commands": 3, "judged": 3, "refused": 1} == village.stats()
        await self.genuine(village, channel, HORNS[0], 52)

    async def test_an_expired_command_is_played_0_times(self, village, recorded):
        channel, client, _ = recorded
        _, expired = channel._frame(channel.prepare(content(expires=content().sent)), Message(50, HORNS[0]))
        await self.attack(village, client, HORNS[0], [expired])
        assert len(village.ledger) == 1
        await self.genuine(village, channel, HORNS[0], 51)

    async def test_an_unsigned_command_is_played_0_times(self, village, recorded):
        channel, client, frame = recorded
        await self.attack(village, client, HORNS[0], [frame[:-74] + b"}", b"{}", b"", b"\x00" * 300])
        assert len(village.ledger) == 1
        await self.genuine(village, channel, HORNS[0])


class TestTls:
    @pytest.fixture
    async def tls(self, village, tmp_path):
        """Return (port, ca_file) of a TLS door before the broker."""
        trustme = pytest.importorskip("trustme", reason="needs the development package trustme")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        doors = set()

        async def through(reader, writer):
            doors.add(asyncio.current_task())
            inside_reader, inside_writer = await asyncio.open_connection(
                "127.0.0.1", village.settings()["port"]
            )
            with contextlib.suppress(OSError):
                await asyncio.gather(copy(reader, inside_writer), copy(inside_reader, writer))

        async def copy(source, sink):
            try:
                while chunk := await source.read(4096):
                    sink.write(chunk)
                    await sink.drain()
            finally:
                sink.close()

        server = await asyncio.start_server(through, "127.0.0.1", 0, ssl=context)
        yield server.sockets[0].getsockname()[1], str(tmp_path / "ca.pem")
        server.close()
        if doors:
            await asyncio.wait(doors, timeout=10)

    async def test_commands_go_through_tls(self, village, tls):
        port, ca_file = tls
        async with opened(route(village, port=port, tls=True, ca_file=ca_file)) as channel:
            assert [type(outcome) for outcome in await hand_over(channel, HORNS[:20])] == [Accepted] * 20
        await until(lambda: len(village.ledger) == 20)

    async def test_a_broker_with_a_certificate_we_do_not_trust_is_refused(self, village, tls):
        port, _ = tls
        channel = MqttChannel(route(village, port=port, tls=True), Inbox())
        with pytest.raises(ChannelDown, match="certificate"):
            await channel.open()
        await channel.close()

    async def test_a_missing_file_is_named_by_its_setting(self, village, tmp_path):
        channel = MqttChannel(route(village, tls=True, ca_file=str(tmp_path / "none.pem")), Inbox())
        with pytest.raises(ChannelDown, match="ca_file"):
            await channel.open()
        await channel.close()
