from __future__ import annotations

from pathlib import Path

import pytest

from channels import base
from channels.smtp.adapter import SmtpChannel
from channels.smtp.simulator import SmtpSimulator
from tests.channels.contract import Book, Inbox, content

CERTIFICATE = str(Path(__file__).with_name("localhost.pem"))


@pytest.fixture
async def server():
    simulator = SmtpSimulator()
    simulator.certificate = CERTIFICATE
    yield simulator
    await simulator.stop()


async def opened(simulator, **changes):
    channel = SmtpChannel(SmtpChannel.Settings(**{**simulator.settings(), **changes}), Inbox())
    try:
        await channel.open()
    except base.ChannelDown:
        await channel.close()
        raise
    return channel


async def test_mail_goes_out_over_starttls_with_a_login(server):
    server.username, server.password = "gateway", "invented-password"
    await server.start()
    channel = await opened(server)
    book = Book()
    await channel.send(channel.prepare(content()), [base.Message(1, "li@example.org")], book)
    await channel.close()
    assert [type(outcome) for outcome in book.once().values()] == [base.Accepted]
    assert server.encrypted == 1


async def test_mail_goes_out_over_tls_from_the_first_octet(server):
    server.implicit_tls = True
    await server.start()
    channel = await opened(server)
    book = Book()
    await channel.send(channel.prepare(content()), [base.Message(1, "li@example.org")], book)
    await channel.close()
    assert [type(outcome) for outcome in book.once().values()] == [base.Accepted]
    assert server.encrypted == 1


async def test_nothing_goes_out_where_somebody_took_starttls_away(server):
    server.strip_starttls = True
    await server.start()
    with pytest.raises(base.ChannelDown, match="does not offer what tls = starttls"):
        await opened(server)
    assert server.mails == []


async def test_starttls_taken_away_between_two_messages_sends_the_second_in_no_clear_text(server):
    await server.start()
    channel = await opened(server, reuse_messages=1, window=1)
    book = Book()
    prepared = channel.prepare(content())
    await channel.send(prepared, [base.Message(1, "li@example.org")], book)
    server.strip_starttls = True
    await channel.send(prepared, [base.Message(2, "wu@example.org")], book)
    await channel.close()
    outcomes = book.once()
    assert isinstance(outcomes[1], base.Accepted)
    assert outcomes[2] == base.Retry(5.0, "connect")
    assert len(server.mails) == server.encrypted == 1


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(server):
    await server.start()
    with pytest.raises(base.ChannelDown, match="not trusted: check host or set ca_file"):
        await opened(server, ca_file="")


async def test_a_certificate_file_that_is_none_is_named(server, tmp_path):
    await server.start()
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(base.ChannelDown, match=r"ca_file .*ca\.pem"):
        await opened(server, ca_file=missing)


async def test_a_server_without_tls_on_a_tls_port_is_told(server):
    await server.start()
    with pytest.raises(base.ChannelDown, match="does not speak TLS as tls = tls demands"):
        await opened(server, tls="tls")


async def test_a_wrong_password_is_told_without_the_password(server):
    server.username, server.password = "gateway", "invented-password"
    await server.start()
    with pytest.raises(base.ChannelDown, match="refused the login") as down:
        await opened(server, password="another-invented-one")
    assert "another-invented-one" not in str(down.value)


def test_a_password_never_goes_in_clear_text_to_another_machine():
    with pytest.raises(ValueError, match="the password would go out in clear text"):
        SmtpChannel.Settings(
            host="mail.example.org",
            tls="none",
            username="gateway",
            password="invented",
            from_address="warning@example.org",
            verp_key="invented-key-of-a-test",
        )
