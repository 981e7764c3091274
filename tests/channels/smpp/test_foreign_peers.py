"""Peers that we did not write, so that an error of our codec cannot hide in our own simulator."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from channels.base import Accepted, Proof, Reply, Throttled
from channels.smpp import SmppChannel, SmppSettings, codec, text
from channels.smpp.simulator import SmppSimulator
from tests.channels.contract import DEADLINE, Book, Inbox, content, until
from tests.channels.smpp.test_session import people

LONG = "雨" * 150
LATIN = "Rain: leave [now] € " * 12


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Smpp34Smsc:
    """smpp34's server, which gives each message a hex id and reports it in decimal."""

    def __init__(self, server):
        self.server = server
        self.events = []
        self.esme = None
        self.throttled = 0

    async def serve(self):
        import smpp34

        while True:
            event = await self.server.next()
            if isinstance(event, smpp34.Esme):
                self.esme = event
            elif isinstance(event, smpp34.SubmitSmEvent):
                if len(self.events) < self.throttled:
                    self.throttled = 0
                    event.reject(smpp34.ESME_RTHROTTLED)
                    continue
                self.events.append(event)
                event.accept(f"{0xA000 + len(self.events):X}")


@pytest.fixture
async def smpp34_smsc():
    smpp34 = pytest.importorskip("smpp34")
    port = free_port()
    server = smpp34.Server("127.0.0.1", port, system_id="foreign")
    await server.start()
    smsc = Smpp34Smsc(server)
    smsc.port = port
    task = asyncio.create_task(smsc.serve())
    yield smsc
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await server.stop()


@pytest.fixture
async def client(smpp34_smsc):
    inbox = Inbox()
    settings = SmppSettings(
        host="127.0.0.1",
        port=smpp34_smsc.port,
        system_id="tongda",
        password="invented",
        source_address="10639000",
        window=5,
        id_form="hex-decimal",
    )
    channel = SmppChannel(settings, inbox)
    await channel.open()
    yield channel, inbox
    await channel.close()


class TestOurClientAtSmpp34:
    async def test_it_reads_our_messages_as_we_meant_them(self, smpp34_smsc, client):
        channel, _ = client
        book, now = Book(), content()
        await channel.send(channel.prepare(now), people(20), book)
        assert {type(outcome) for outcome in book.once().values()} == {Accepted}
        events = smpp34_smsc.events
        assert sorted(event.destination_addr for event in events) == [m.address for m in people(20)]
        assert {event.source_addr for event in events} == {"10639000"}
        assert {(event.dest_addr_ton, event.dest_addr_npi) for event in events} == {(1, 1)}
        assert {event.registered_delivery for event in events} == {1}
        assert {event.data_coding for event in events} == {8}
        assert {bytes(event.short_message).decode("utf-16-be") for event in events} == {now.text}

    @pytest.mark.parametrize(("whole", "parts"), [(LONG, 3), (LATIN, 2)], ids=["ucs2", "gsm"])
    async def test_it_gets_the_parts_of_a_long_message(self, smpp34_smsc, client, whole, parts):
        channel, _ = client
        book = Book()
        await channel.send(channel.prepare(content(text=whole)), people(1), book)
        (outcome,) = book.once().values()
        assert len(outcome.refs) == len(smpp34_smsc.events) == parts
        read = {}
        for event in smpp34_smsc.events:
            assert event.esm_class == codec.ESM_UDHI
            (_, total, number), octets = text.take_header(bytes(event.short_message))
            assert total == parts
            read[number] = text.decode(octets, event.data_coding)
        assert "".join(read[number] for number in sorted(read)) == whole

    async def test_its_receipts_with_tlvs_and_its_replies_reach_us(self, smpp34_smsc, client):
        import smpp34

        channel, inbox = client
        book = Book()
        await channel.send(channel.prepare(content()), people(1), book)
        (outcome,) = book.once().values()
        number = str(0xA001)
        answer = await smpp34_smsc.esme.deliver_sm(
            "10639000",
            f"id:{number} sub:001 dlvrd:001 submit date:2607221400 done date:2607221401 "
            "stat:DELIVRD err:000 text:".encode(),
            source_addr=people(1)[0].address,
            esm_class=codec.ESM_RECEIPT,
            tlvs=[
                smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, number.encode() + b"\0"),
                smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\x02"),
            ],
        )
        assert answer.is_success
        await smpp34_smsc.esme.deliver_sm("10639000", b"1", source_addr="8619900000007")
        await until(lambda: len(inbox.reports) == 2)
        assert inbox.receipts[0].ref == outcome.refs[0]
        assert inbox.receipts[0].state is Proof.DELIVERED
        assert inbox.reports[1] == Reply("8619900000007", "1")

    async def test_it_hears_no_acknowledgement_before_the_report_is_durable(self, smpp34_smsc, client):
        _, inbox = client
        inbox.hold = True
        await until(lambda: smpp34_smsc.esme)
        delivery = asyncio.ensure_future(
            smpp34_smsc.esme.deliver_sm("10639000", b"1", source_addr="8619900000007")
        )
        await until(lambda: inbox.reports)
        await asyncio.sleep(0.1)
        assert not delivery.done()
        inbox.release()
        assert (await delivery).is_success

    async def test_its_throttle_is_a_throttle(self, smpp34_smsc, client):
        channel, _ = client
        smpp34_smsc.throttled = 1
        book = Book()
        await channel.send(channel.prepare(content()), people(1), book)
        assert type(book.once()[0]) is Throttled

    async def test_its_unbind_is_answered(self, smpp34_smsc, client):
        channel, _ = client
        await until(lambda: smpp34_smsc.esme)
        first = smpp34_smsc.esme
        with contextlib.suppress(Exception):
            await first.unbind()
        await until(lambda: smpp34_smsc.esme is not first)
        book = Book()
        await until(lambda: channel._pool._sessions)
        await channel.send(channel.prepare(content()), people(1), book)
        assert type(book.once()[0]) is Accepted


@pytest.fixture
async def simulator():
    simulator = SmppSimulator()
    await simulator.start()
    yield simulator
    await simulator.stop()


class TestOurSimulatorUnderSmpplib:
    def session(self, simulator, words, bind="bind_transceiver", password="invented"):
        """Send one text as smpplib's users do and return what came back; runs in a thread."""
        import smpplib.client
        import smpplib.consts
        import smpplib.gsm

        client = smpplib.client.Client(
            "127.0.0.1", simulator.settings()["port"], timeout=DEADLINE, allow_unknown_opt_params=True
        )
        sent, delivered = [], []
        client.set_message_sent_handler(lambda pdu: sent.append((pdu.status, pdu.message_id)))
        client.set_message_received_handler(lambda pdu: delivered.append(pdu))  # noqa: PLW0108 - by keyword
        parts, coding, esm_class = smpplib.gsm.make_parts(words)
        client.connect()
        try:
            getattr(client, bind)(system_id="tongda", password=password)
            for part in parts:
                client.send_message(
                    source_addr_ton=smpplib.consts.SMPP_TON_INTL,
                    source_addr="10639000",
                    dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                    destination_addr="8619900000001",
                    short_message=part,
                    data_coding=coding,
                    esm_class=esm_class,
                    registered_delivery=True,
                )
            while len(sent) < len(parts) or len(delivered) < len(parts):
                client.read_once()
            client.unbind()
        finally:
            client.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
            client.disconnect()
        return sent, delivered

    @pytest.mark.parametrize("words", ["Leave now [red]", LATIN, "暴雨红色预警", LONG], ids=ascii)
    @pytest.mark.parametrize("script", [{}, {"latency": 0.01}], ids=["short way", "long way"])
    async def test_it_is_answered_and_gets_its_receipts(self, simulator, words, script):
        for name, value in script.items():
            setattr(simulator, name, value)
        sent, delivered = await asyncio.to_thread(self.session, simulator, words)
        assert [entry.text for entry in simulator.ledger] == [words]
        assert simulator.ledger[0].address == "8619900000001"
        ids = [message_id for _, message_id in sent]
        assert [pdu.receipted_message_id.rstrip(b"\0") for pdu in delivered] == ids
        assert {pdu.message_state for pdu in delivered} == {2}
        assert {pdu.source_addr for pdu in delivered} == {b"8619900000001"}
        assert all(b"stat:DELIVRD" in pdu.short_message for pdu in delivered)
        await until(lambda: simulator.acknowledged == len(delivered))

    async def test_a_wrong_password_is_refused(self, simulator):
        import smpplib.exceptions

        with pytest.raises(smpplib.exceptions.PDUError) as refused:
            await asyncio.to_thread(self.session, simulator, "x", password="wrong")
        assert refused.value.args[1] == codec.BAD_PASSWORD


class TestOurSimulatorUnderSmpp34:
    async def test_both_ways_and_the_keep_alive(self, simulator):
        smpp34 = pytest.importorskip("smpp34")
        port = simulator.settings()["port"]
        client = smpp34.Client("127.0.0.1", port, "tongda", "invented", window_size=10)
        session = await client.connect()
        answer = await session.submit_sm(
            "8619900000001", "雨".encode("utf-16-be"), data_coding=8, registered_delivery=1
        )
        assert answer.is_success
        report = await session.next()
        assert report.esm_class == codec.ESM_RECEIPT
        assert f"id:{answer.message_id} ".encode() in bytes(report.short_message)
        assert {tlv.tag for tlv in report.tlvs} == {codec.TAG_RECEIPTED_ID, codec.TAG_STATE}
        assert [entry.text for entry in simulator.ledger] == ["雨"]
        await session.unbind()
        await client.stop()


class TestCodecsSideBySide:
    def test_smpp34_reads_our_submit_sm_and_we_read_its(self):
        smpp34 = pytest.importorskip("smpp34")
        settings = SmppSettings(host="smsc.example.org", system_id="tongda", source_address="10639000")
        channel = SmppChannel(settings, Inbox())
        prepared = channel.prepare(content())
        body = prepared.render(prepared.content.sent, people(1)[0])[0]
        theirs = smpp34.decode(codec.pdu(codec.SUBMIT_SM, 0, 9, body))
        assert theirs.sequence_number == 9
        assert theirs.destination_addr == people(1)[0].address
        assert theirs.validity_period == prepared.content.expires.strftime("%y%m%d%H%M%S000+")
        assert theirs.encode() == codec.pdu(codec.SUBMIT_SM, 0, 9, body)

    def test_we_read_a_deliver_sm_of_smpp34(self):
        smpp34 = pytest.importorskip("smpp34")
        made = smpp34.DeliverSm(
            "8619900000001",
            "10639000",
            b"",
            esm_class=4,
            tlvs=[smpp34.Tlv(smpp34.TLV_MESSAGE_PAYLOAD, b"id:7 stat:DELIVRD"), smpp34.Tlv(0x1403, b"v")],
            sequence_number=5,
        ).encode()
        ((command, _, sequence, at, end),) = codec.frames(made)
        message = codec.short_message(made, at, end)
        assert (command, sequence) == (codec.DELIVER_SM, 5)
        assert message.source == b"8619900000001"
        assert message.payload == b"id:7 stat:DELIVRD"
        assert message.tlvs[0x1403] == b"v"
