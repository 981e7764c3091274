"""A line and a peer that do everything wrong: nothing hangs, nothing is lost, nothing told twice."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.base import Accepted, ChannelDown, Retry, Unknown
from channels.smpp import SmppChannel, SmppSettings, codec
from channels.smpp.simulator import SmppSimulator
from tests.channels.contract import DEADLINE, Book, Inbox, content, until
from tests.channels.smpp.test_session import people


class Half(asyncio.Protocol):
    """One end of a proxied connection: passes what it hears on to its other half."""

    def __init__(self, line, other=None):
        self.line = line
        self.other = other
        self.budget = None
        self.transport = None
        self.early = b""

    def connection_made(self, transport):
        self.transport = transport
        self.line.halves.append(self)
        if self.other is None:
            self.line.connections += 1
            self.other = Half(self.line, self)
            self.other.budget = self.line.cut_after
            loop = asyncio.get_running_loop()
            self.line.tasks.append(
                loop.create_task(loop.create_connection(lambda: self.other, "127.0.0.1", self.line.port))
            )
        else:
            self.data_received(b"")
            self.other.data_received(b"")

    def data_received(self, data):
        self.early += data
        if self.other.transport is None:
            return
        data, self.early = self.early, b""
        if self.budget is not None:
            data, self.budget = data[: self.budget], self.budget - len(data)
        for at in range(0, len(data), self.line.slices or len(data) or 1):
            self.other.transport.write(data[at : at + (self.line.slices or len(data))])
        if self.budget is not None and self.budget <= 0:
            self.other.transport.close()
            self.transport.close()

    def connection_lost(self, _error):
        if self.other.transport is not None:
            self.other.transport.close()


class Proxy:
    """A TCP line between client and SMSC that slices, or cuts what the SMSC says after n bytes."""

    def __init__(self, port):
        self.port = port
        self.slices = None
        self.cut_after = None
        self.connections = 0
        self.halves = []
        self.tasks = []

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Half(self), "127.0.0.1", 0)
        self.listens = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for half in self.halves:
            half.transport.abort()
        await asyncio.sleep(0.01)


@pytest.fixture
async def smsc():
    smsc = SmppSimulator()
    await smsc.start()
    yield smsc
    await smsc.stop()


def channel_at(smsc, port, inbox, **changes):
    route = {**smsc.settings(), "port": port, "window": 10, "timeout": 2.0, **changes}
    return SmppChannel(SmppSettings(**route), inbox)


class TestLine:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 15, 17])
    async def test_slices_of_any_size_are_put_together(self, smsc, size):
        inbox, book = Inbox(), Book()
        async with Proxy(smsc.settings()["port"]) as line:
            line.slices = size
            channel = channel_at(smsc, line.listens, inbox)
            await channel.open()
            await channel.send(channel.prepare(content()), people(40), book)
            assert {type(outcome) for outcome in book.once().values()} == {Accepted}
            await until(lambda: len(inbox.receipts) == 40)
            await channel.close()
        assert len(smsc.ledger) == 40

    async def test_a_line_cut_after_any_number_of_bytes_loses_nothing(self):
        await asyncio.gather(*(self.cut_after(n) for n in [*range(1, 65), 100, 200, 400, 800]))

    async def cut_after(self, bytes_left):
        smsc, book = SmppSimulator(), Book()
        await smsc.start()
        async with Proxy(smsc.settings()["port"]) as line:
            line.cut_after = bytes_left
            channel = channel_at(smsc, line.listens, Inbox(), timeout=30.0)  # 68 of them share a loop
            try:
                await channel.open()
            except ChannelDown:
                assert bytes_left <= 28, "the bind was answered"
                assert not smsc.ledger
            else:
                await channel.send(channel.prepare(content()), people(30), book)
                line.cut_after = None
                await until(lambda: line.connections >= 2)
                self.check(smsc, book.once())
            await channel.close()
        await smsc.stop()

    def check(self, smsc, outcomes):
        taken = {entry.address for entry in smsc.ledger}
        told = {message.address: outcomes[message.delivery] for message in people(30)}
        assert taken <= {a for a, outcome in told.items() if isinstance(outcome, (Accepted, Unknown))}
        assert {a for a, outcome in told.items() if isinstance(outcome, Accepted)} <= taken
        assert len(smsc.ledger) == len(taken)


class RawPeer:
    """An SMSC that answers binds and then says whatever it was told to say."""

    def __init__(self, words, bind_answer=None):
        self.words = words
        self.bind_answer = bind_answer
        self.binds = 0
        self.heard = b""

    async def __aenter__(self):
        self.writers = []
        self.server = await asyncio.start_server(self.talk, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)

    async def talk(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readexactly(16)
            length, _, _, sequence = struct.unpack(">IIII", head)
            await reader.readexactly(length - 16)
            self.binds += 1
            answer = codec.pdu(codec.BIND_TRANSCEIVER | codec.RESPONSE, 0, sequence, b"raw\0")
            writer.write((self.bind_answer or answer) + self.words)
            while data := await reader.read(65536):
                self.heard += data
        writer.transport.abort()


class CountingPeer(RawPeer):
    """Takes the bind and answers so many messages, then says its words in the same segment."""

    def __init__(self, answered, then):
        super().__init__(then)
        self.answered = answered
        self.submits = 0

    async def talk(self, reader, writer):
        self.writers.append(writer)
        answers = b""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                length, command, _, sequence = struct.unpack(">IIII", await reader.readexactly(16))
                await reader.readexactly(length - 16)
                if command == codec.BIND_TRANSCEIVER:
                    writer.write(codec.pdu(command | codec.RESPONSE, 0, sequence, b"raw\0"))
                elif command == codec.SUBMIT_SM:
                    self.submits += 1
                    answers += codec.pdu(command | codec.RESPONSE, 0, sequence, b"%d\0" % self.submits)
                    if self.submits == self.answered:
                        writer.write(answers + self.words)


def raw_channel(port, **changes):
    route = {"host": "127.0.0.1", "port": port, "system_id": "tongda", "timeout": 1.0, **changes}
    return SmppChannel(SmppSettings(**route), Inbox())


class TestPeer:
    @pytest.mark.parametrize("length", [0, 1, 15, 65537, 2**31, 2**32 - 1])
    async def test_a_wrong_length_ends_the_session_and_a_new_one_begins(self, length):
        async with RawPeer(struct.pack(">I", length)) as peer:
            channel = raw_channel(peer.port)
            with contextlib.suppress(ChannelDown):
                await channel.open()
            await until(lambda: peer.binds >= 2 or not channel._pool._keepers)
            await channel.close()

    @pytest.mark.parametrize(
        "words",
        [
            codec.pdu(codec.SUBMIT_SM_RESP, 0, 999, b"7\0"),
            codec.pdu(codec.SUBMIT_SM_RESP, 0x58, 999),
            codec.pdu(codec.DELIVER_SM_RESP, 0, 1, b"\0"),
            codec.pdu(codec.BIND_TRANSCEIVER | codec.RESPONSE, 0, 1, b"twice\0"),
            codec.pdu(codec.GENERIC_NACK, 3, 0),
            codec.pdu(codec.ENQUIRE_LINK_RESP, 0, 0),
            codec.pdu(codec.DELIVER_SM, 0, 5, b""),
            codec.pdu(codec.DELIVER_SM, 0, 5, b"\xff" * 300),
            codec.pdu(0x0103, 0, 6, b"data_sm"),
            codec.pdu(0xDEADBEEF, 0xDEADBEEF, 0xDEADBEEF, b"x" * 1000),
        ],
        ids=lambda words: words[4:8].hex(),
    )
    async def test_what_was_never_asked_does_no_harm(self, words):
        async with RawPeer(words) as peer:
            channel = raw_channel(peer.port, timeout=0.2)
            await channel.open()
            await asyncio.sleep(0.05)
            assert peer.binds == 1
            assert len(channel._pool._sessions) == 1
            await channel.close()

    @pytest.mark.parametrize(
        "answer",
        [
            codec.pdu(codec.GENERIC_NACK, codec.BAD_COMMAND, 1),
            codec.pdu(codec.BIND_TRANSCEIVER | codec.RESPONSE, 0x0E, 1),
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"220 mail.example.org ESMTP\r\n",
            b"\0\0\0",
        ],
        ids=ascii,
    )
    async def test_a_bind_that_is_not_answered_well_is_told_in_a_sentence(self, answer):
        async with RawPeer(b"", answer) as peer:
            channel = raw_channel(peer.port, timeout=0.3)
            with pytest.raises(ChannelDown):
                await channel.open()
            await channel.close()

    async def test_a_nack_of_one_message_is_its_refusal(self):
        nack = codec.pdu(codec.GENERIC_NACK, codec.BAD_LENGTH, 2)
        async with RawPeer(b"") as peer:
            channel, book = raw_channel(peer.port), Book()
            await channel.open()
            task = asyncio.create_task(channel.send(channel.prepare(content()), people(1), book))
            await until(lambda: peer.heard)
            peer.writers[0].write(nack)
            await task
            assert book.once()[0].code == "0x00000002 command length is invalid"
            await channel.close()

    async def test_a_doubled_answer_counts_once(self):
        answer = codec.pdu(codec.SUBMIT_SM_RESP, 0, 2, b"77\0")
        async with RawPeer(b"") as peer:
            channel, book = raw_channel(peer.port), Book()
            await channel.open()
            task = asyncio.create_task(channel.send(channel.prepare(content()), people(1), book))
            await until(lambda: peer.heard)
            peer.writers[0].write(answer * 3)
            await task
            assert book.once() == {0: Accepted(("77",))}
            await channel.close()

    @pytest.mark.parametrize("length", [1, 65537])
    async def test_what_was_not_written_before_a_framing_error_surely_was_not_sent(self, length):
        async with CountingPeer(answered=10, then=struct.pack(">I", length)) as peer:
            channel, book = raw_channel(peer.port, window=10), Book()
            await channel.open()
            await channel.send(channel.prepare(content()), people(40), book)
            kinds = [type(outcome) for outcome in book.once().values()]
            await channel.close()
        assert kinds.count(Accepted) == 10
        assert kinds.count(Unknown) + 10 <= peer.submits
        assert kinds.count(Retry) == 40 - kinds.count(Accepted) - kinds.count(Unknown)

    async def test_a_nack_of_the_bind_is_a_refusal_whatever_status_it_bears(self):
        async with RawPeer(b"", bind_answer=codec.pdu(codec.GENERIC_NACK, 0, 1)) as peer:
            with pytest.raises(ChannelDown, match="refused the bind"):
                await raw_channel(peer.port).open()

    @pytest.mark.parametrize("host", ["a" * 64 + ".example", "a\0b", "..", ""])
    async def test_an_impossible_host_is_a_sentence(self, host):
        with pytest.raises(ChannelDown, match="check host and port"):
            await raw_channel(2775, host=host).open()

    async def test_a_peer_that_reads_nothing_is_given_up(self):
        async with RawPeer(b"") as peer:
            channel, book = raw_channel(peer.port, window=10_000, timeout=0.5, enquire_interval=0.2), Book()
            await channel.open()
            peer.writers[0].transport.pause_reading()
            async with asyncio.timeout(DEADLINE):
                await channel.send(channel.prepare(content()), people(20_000), book)
            assert {type(outcome) for outcome in book.once().values()} <= {Unknown, Retry}
            await channel.close()

    @given(words=st.binary(max_size=400))
    @settings(max_examples=25)
    def test_any_noise_after_the_bind_is_survived(self, words):
        async def run():
            async with RawPeer(words) as peer:
                channel, book = raw_channel(peer.port, timeout=0.1, enquire_interval=0.1), Book()
                with contextlib.suppress(ChannelDown):
                    await channel.open()
                    async with asyncio.timeout(DEADLINE):
                        await channel.send(channel.prepare(content()), people(2), book)
                    assert sorted(book.once()) == [0, 1]
                async with asyncio.timeout(DEADLINE):
                    await channel.close()

        asyncio.run(run())
