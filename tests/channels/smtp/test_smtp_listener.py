from __future__ import annotations

import asyncio
import threading

import aiosmtplib
import pytest

from channels import base
from channels.smtp import listener as module
from channels.smtp.adapter import SmtpChannel, return_path
from channels.smtp.dsn import read_report
from channels.smtp.reports import Report, write_report
from channels.smtp.simulator import SmtpSimulator
from tests.channels.contract import DEADLINE, Book, Inbox, content, until

SETTINGS = SmtpChannel.Settings(
    from_address="warning@gateway.example.org",
    verp_key="invented-key-of-a-test",
    listen_port=0,
    listen_size=20_000,
)
PATHS = return_path(SETTINGS)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
async def listener(inbox):
    running = SmtpChannel.listener(SETTINGS, inbox)
    await running.start()
    yield running
    inbox.release()
    await running.stop()


@pytest.fixture
async def peer(listener):
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=listener.port, local_hostname="mx.example.org", start_tls=False
    )
    await client.connect()
    yield client
    client.close()
    await asyncio.sleep(0)


def report(delivery=17, action="delivered", extra=b""):
    head = b"Subject: a warning\r\n\r\n"
    return (
        write_report(Report(action, PATHS.address(delivery), "li@example.org", PATHS.token(delivery), head))
        + extra
    )


async def hand_in(peer, octets, to=None):
    await peer.mail("")
    await peer.rcpt(to or PATHS.address(17))
    return await peer.data(octets)


async def test_a_report_becomes_a_receipt(peer, inbox):
    answer = await hand_in(peer, report())
    assert answer.code == 250
    (receipt,) = inbox.receipts
    assert (receipt.state, receipt.delivery, receipt.code) == (base.Proof.DELIVERED, 17, "2.0.0")


async def test_a_report_is_read_off_the_loop(peer, inbox, monkeypatch):
    threads = []

    def watched(*arguments):
        threads.append(threading.current_thread())
        return read_report(*arguments)

    monkeypatch.setattr(module, "read_report", watched)
    await hand_in(peer, report())
    assert len(inbox.receipts) == 1
    assert threads
    assert threading.main_thread() not in threads


def test_the_longest_report_by_default_is_no_longer_than_real_ones():
    assert SmtpChannel.Settings.model_fields["listen_size"].default <= 200_000


async def test_it_answers_only_when_the_receipt_is_durable(peer, inbox):
    inbox.hold = True
    task = asyncio.create_task(hand_in(peer, report()))
    await until(lambda: inbox.receipts)
    await asyncio.sleep(0.05)
    assert not task.done()
    inbox.release()
    async with asyncio.timeout(DEADLINE):
        assert (await task).code == 250


async def test_what_cannot_be_stored_in_time_is_sent_again(peer, inbox, monkeypatch):
    monkeypatch.setattr(module, "DURABLE_WITHIN", 0.05)
    inbox.hold = True
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await hand_in(peer, report())
    assert refused.value.code == 451


async def test_a_sink_that_fails_makes_the_sender_come_again():
    def failing(_reports, _acknowledge):
        raise RuntimeError("invented fault with li@example.org in it")

    running = SmtpChannel.listener(SETTINGS, failing)
    await running.start()
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=running.port, local_hostname="x.example.org", start_tls=False
    )
    await client.connect()
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await hand_in(client, report())
    assert refused.value.code == 451
    assert "li@" not in refused.value.message
    client.close()
    await running.stop()


@pytest.mark.parametrize(
    "to",
    [
        "warning@gateway.example.org",
        "bounce@gateway.example.org",
        f"bounce+17.{'0' * 20}@gateway.example.org",
        PATHS.address(17).replace("+17.", "+18."),
        PATHS.address(17).replace("gateway", "other"),
    ],
)
async def test_an_address_that_we_did_not_sign_is_refused(peer, inbox, to):
    with pytest.raises(aiosmtplib.SMTPRecipientRefused) as refused:
        await hand_in(peer, report(), to=to)
    assert refused.value.code == 550
    assert inbox.reports == []


async def test_one_mail_speaks_of_one_delivery(peer):
    await peer.mail("")
    await peer.rcpt(PATHS.address(17))
    with pytest.raises(aiosmtplib.SMTPRecipientRefused) as refused:
        await peer.rcpt(PATHS.address(18))
    assert refused.value.code == 452


async def test_a_mail_over_the_size_is_refused(peer, inbox):
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await hand_in(peer, report(extra=b"x" * 70 + b"\r\n" + b"y\r\n" * 20_000))
    assert refused.value.code == 552
    assert inbox.reports == []


async def test_a_mail_that_tells_nothing_is_taken_and_dropped(peer, inbox):
    answer = await hand_in(peer, b"From: li@example.org\r\nSubject: Re: a warning\r\n\r\nConfirmed.\r\n")
    assert answer.code == 250
    assert inbox.reports == []


async def test_too_many_peers_are_told_to_come_again(listener, peer, monkeypatch):
    monkeypatch.setattr(module, "SESSIONS", 1)
    other = SmtpChannel.listener(SETTINGS, Inbox())
    await other.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", other.port)
    assert (await reader.readline()).startswith(b"220")
    second, late = await asyncio.open_connection("127.0.0.1", other.port)
    assert (await second.readline()).startswith(b"421")
    for stream in (writer, late):
        stream.close()
        await stream.wait_closed()
    await other.stop()


async def test_a_port_in_use_is_named(listener):
    taken = SETTINGS.model_copy(update={"listen_port": listener.port})
    with pytest.raises(
        base.ChannelDown, match=f"127.0.0.1:{listener.port} .* change listen_host or listen_port"
    ):
        await SmtpChannel.listener(taken, Inbox()).start()


async def test_stopping_may_be_repeated_and_cuts_open_sessions(listener, peer):
    await listener.stop()
    await listener.stop()
    await until(lambda: not peer.is_connected)


def test_there_is_no_listener_without_a_port():
    assert SmtpChannel.listener(SETTINGS.model_copy(update={"listen_port": None}), Inbox()) is None


class TestWithTheSimulator:
    """Reports come back from the server that took the mail."""

    @pytest.fixture
    async def receipts(self, inbox):
        server = SmtpSimulator()
        running = []

        async def run(count, expected, **script):
            for name, value in script.items():
                setattr(server, name, value)
            await server.start()
            settings = SmtpChannel.Settings(**server.settings())
            listener, channel = SmtpChannel.listener(settings, inbox), SmtpChannel(settings, inbox)
            await listener.start()
            await channel.open()
            running.extend([channel.close, listener.stop])
            rows = [base.Message(n, f"contact.{n}@example.org") for n in range(count)]
            await channel.send(channel.prepare(content()), rows, Book())
            await until(lambda: server.acknowledged + server.refused_reports >= expected)
            return server, {receipt.delivery: receipt.state for receipt in inbox.receipts}

        yield run
        for stop in running:
            await stop()
        await server.stop()

    async def test_failures_come_back_as_rejected(self, receipts):
        _, states = await receipts(5, 5, report_failed=1.0)
        assert states == dict.fromkeys(range(5), base.Proof.REJECTED)

    async def test_a_delay_is_followed_by_delivery(self, receipts, inbox):
        await receipts(3, 6, report_delayed=1.0, report_delay=0.05)
        states = [[r.state for r in inbox.receipts if r.delivery == n] for n in range(3)]
        assert states == [[base.Proof.ACCEPTED, base.Proof.DELIVERED]] * 3

    async def test_forged_reports_are_refused_beside_the_true_ones(self, receipts, inbox):
        server, states = await receipts(5, 10, report_forged=1.0)
        assert states == dict.fromkeys(range(5), base.Proof.DELIVERED)
        assert len(inbox.receipts) == 5
        counts = server.stats()
        assert (counts["refused_reports"], counts["acknowledged"], counts["unsent_reports"]) == (5, 5, 0)

    async def test_doubled_reports_come_twice(self, receipts, inbox):
        await receipts(4, 8, report_duplicate=1.0)
        assert len(inbox.receipts) == 8

    async def test_reports_that_overtake_one_another_find_their_deliveries(self, receipts, inbox):
        _, states = await receipts(20, 20, report_spread=0.3)
        assert states == dict.fromkeys(range(20), base.Proof.DELIVERED)
        came = [receipt.delivery for receipt in inbox.receipts]
        assert came != sorted(came)

    async def test_missing_reports_do_not_come(self, receipts, inbox):
        await receipts(40, 1, report_missing=0.5)
        assert 0 < len({receipt.delivery for receipt in inbox.receipts}) < 40
