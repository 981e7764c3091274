"""Who is let in: keys, their life, client certificates, and what the answer to the others tells."""

from __future__ import annotations

import hashlib
import ssl
from datetime import timedelta

import aiohttp
import pytest
import trustme
from aiohttp.test_utils import TestServer
from cryptography.x509 import load_pem_x509_certificate
from multidict import CIMultiDict
from sqlalchemy import text

from gateway.partners import keys
from gateway.partners.keys import KeyRefused, Scope
from gateway.settings import SettingsRefused, load_settings
from gateway.web.tls import TlsRefused, context

from .conftest import ALERTS, PARTNERS, SERVER_KEY, Partner, form, problem


async def rows(database, query: str) -> list[tuple]:
    async with database.begin() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


class TestLife:
    async def test_a_key_is_stored_as_its_digest_and_its_secret_not_at_all(self, database, make_key):
        made = await make_key()
        stored = str(await rows(database, "SELECT * FROM partner_keys"))
        assert made.text not in stored
        assert made.text.rpartition("_")[2] not in stored
        assert made.secret not in stored
        assert hashlib.sha256(made.text.encode()).hexdigest() in stored

    async def test_two_live_keys_serve_a_change_and_a_third_is_refused(self, client, make_key, clock):
        both = [await make_key(), await make_key()]
        for one in both:
            assert (await Partner(client, one, clock).get()).status == 200
        with pytest.raises(KeyRefused, match="2 live keys"):
            await make_key()

    async def test_a_revoked_key_ends_at_once_and_makes_room(self, water, database, clock, make_key):
        assert (await water.get()).status == 200
        await keys.revoke(database, water.key.prefix, clock)
        await keys.revoke(database, water.key.prefix, clock)
        assert (await water.get()).status == 401
        assert [await make_key(), await make_key()]

    async def test_a_key_expires(self, water, clock):
        clock.advance(30 * 86400 - 1)
        assert (await water.get()).status == 200
        clock.advance(1)
        assert (await water.get()).status == 401

    async def test_a_key_that_would_be_dead_at_birth_is_refused(self, make_key):
        with pytest.raises(KeyRefused, match="expired already"):
            await make_key(expires=timedelta(0))

    async def test_the_last_use_is_kept_to_a_minute(self, water, database, clock):
        async def last():
            return (await rows(database, "SELECT last_used_at FROM partner_keys"))[0][0]

        assert await last() is None
        await water.get()
        first = await last()
        assert first == clock.now()
        clock.advance(59)
        await water.get()
        assert await last() == first
        clock.advance(1)
        await water.get()
        assert await last() == clock.now()

    async def test_making_and_revoking_stand_in_the_audit_log(self, database, make_key, clock):
        made = await make_key(regions=("9999",))
        await keys.revoke(database, made.prefix, clock)
        told = await rows(database, "SELECT action, subject, detail FROM audit ORDER BY seq")
        assert [row[:2] for row in told] == [
            ("partner_key", "partner water"),
            ("partner_key_revoked", "partner water"),
        ]
        assert made.prefix in told[0][2]
        assert made.text not in str(told)

    async def test_the_secret_of_another_server_key_does_not_sign(self, client, clock, database):
        made = await keys.add(
            database, "water", Scope(), clock.now() + timedelta(days=1), b"another key", clock
        )
        stranger = Partner(client, made, clock)
        assert (await stranger.get()).status == 200
        response = await stranger.push(form())
        assert (response.status, await problem(response)) == (401, "signature")

    async def test_secrets_hold_on_while_the_servers_key_is_changed(self, serve, settings, make_key, clock):
        changed = settings.secrets.model_copy(
            update={"partner_key": None, "old_partner_keys": [settings.secrets.partner_key]}
        )
        client = await serve(settings=settings.model_copy(update={"secrets": changed}))
        assert (await Partner(client, await make_key(), clock).push(form())).status == 202


class TestTheSameAnswer:
    async def test_every_key_that_does_not_hold_gets_it(self, water, client, make_key, database, clock):
        gone = await make_key(expires=timedelta(seconds=1))
        revoked = await make_key("quake")
        await keys.revoke(database, revoked.prefix, clock)
        orphan = await make_key("nobody")  # a partner that the settings no longer have
        clock.advance(1)
        good = water.key.text
        wrong = [
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer x",
            f"Basic {good}",
            f"Bearer {good[:-1]}",
            f"Bearer {good[:-1]}{'A' if good[-1] != 'A' else 'B'}",
            f"Bearer {good} {good}",
            f"Bearer tk_{'0' * 12}_{'A' * 43}",
            f"Bearer {gone.text}",
            f"Bearer {revoked.text}",
            f"Bearer {orphan.text}",
            "Bearer " + "x" * 4000,
            "Bearer é",
        ]
        answers = set()
        for header in wrong:
            headers = {"Authorization": header} if header is not None else {}
            response = await client.get(ALERTS, headers=headers)
            answers.add((response.status, response.headers["WWW-Authenticate"], await response.text()))
        assert len(answers) == 1
        assert answers.pop()[:2] == (401, "Bearer")

    async def test_a_header_that_comes_twice_says_nothing(self, water, client):
        twice = CIMultiDict([("Authorization", f"Bearer {water.key.text}")] * 2)
        assert (await client.get(ALERTS, headers=twice)).status == 401

    async def test_nothing_secret_stands_in_the_log(self, water, capsys, caplog):
        await water.pushed()
        await water.push(form(), secret="whsec_" + "A" * 44)
        told = "".join(capsys.readouterr()) + caplog.text
        for secret in (water.key.text, water.key.text.rpartition("_")[2], water.key.secret, SERVER_KEY):
            assert secret not in told


class TestScopes:
    @pytest.mark.parametrize(("scopes", "pushes", "reads"), [(("push",), 202, 403), (("read",), 403, 200)])
    async def test_a_key_does_what_it_is_for(self, partner, scopes, pushes, reads):
        one = await partner(scopes=scopes)
        assert (await one.push(form())).status == pushes
        assert (await one.get()).status == reads


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


def write_files(tmp_path, ca: trustme.CA) -> dict[str, str]:
    """Our certificate and the CA of partners, as files."""
    ours = ca.issue_cert("127.0.0.1")
    names = {name: tmp_path / f"{name}.pem" for name in ("certificate_file", "key_file", "client_ca_file")}
    names["certificate_file"].write_bytes(b"".join(one.bytes() for one in ours.cert_chain_pems))
    names["key_file"].write_bytes(ours.private_key_pem.bytes())
    names["client_ca_file"].write_bytes(ca.cert_pem.bytes())
    return {name: str(path) for name, path in names.items()}


def fingerprint(certificate: trustme.LeafCert) -> str:
    made = load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes())
    from cryptography.hazmat.primitives.hashes import SHA256

    return made.fingerprint(SHA256()).hex()


def client_context(ca: trustme.CA, certificate: trustme.LeafCert | None) -> ssl.SSLContext:
    made = ssl.create_default_context()
    ca.configure_trust(made)
    if certificate:
        certificate.configure_cert(made)
    return made


class TestCertificates:
    @pytest.fixture
    async def ask(self, tmp_path, monkeypatch, ca, build, make_key):
        """A server with TLS of its own; returns the partner's good certificate and a way to ask."""
        monkeypatch.chdir(tmp_path)
        good = ca.issue_cert("partner.example.org")
        partners = {"water": PARTNERS["water"] | {"certificate_fingerprints": [fingerprint(good)]}}
        settings = load_settings(
            state_dir=tmp_path / "state",
            partners=partners,
            secrets={"partner_key": SERVER_KEY},
            web={"tls": write_files(tmp_path, ca)},
        )
        server = TestServer(build(settings=settings))
        await server.start_server(ssl=context(settings.web.tls))
        key = await make_key()

        async def get(certificate) -> int:
            headers = {"Authorization": f"Bearer {key.text}"}
            async with aiohttp.ClientSession() as session:
                where = server.make_url(ALERTS)
                async with session.get(where, headers=headers, ssl=client_context(ca, certificate)) as answer:
                    return answer.status

        yield good, get
        await server.close()

    async def test_the_agreed_certificate_is_asked_for_besides_the_key(self, ask, ca):
        good, get = ask
        assert await get(good) == 200
        assert await get(None) == 401
        assert await get(ca.issue_cert("partner.example.org")) == 401

    async def test_a_certificate_of_another_ca_ends_the_connection(self, ask):
        _, get = ask
        with pytest.raises(aiohttp.ClientError):
            await get(trustme.CA().issue_cert("partner.example.org"))

    async def test_without_our_own_tls_no_header_stands_for_a_certificate(
        self, serve, settings, make_key, clock
    ):
        asked = settings.partners["water"].model_copy(update={"certificate_fingerprints": ["ab" * 32]})
        changed = settings.model_copy(update={"partners": {"water": asked}})
        one = Partner(await serve(settings=changed), await make_key(), clock)
        for name in ("X-SSL-Client-SHA256", "X-Client-Cert", "X-Forwarded-Client-Cert"):
            headers = {"Authorization": f"Bearer {one.key.text}", name: "ab" * 32}
            assert (await one.client.get(ALERTS, headers=headers)).status == 401

    def test_a_fingerprint_without_a_ca_of_clients_is_refused_at_the_start(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        partners = {"water": {"name": "x", "certificate_fingerprints": ["AB:" * 31 + "AB"]}}
        with pytest.raises(SettingsRefused, match=r"needs web\.tls\.client_ca_file"):
            load_settings(state_dir=tmp_path, partners=partners)

    def test_files_that_are_no_certificates_are_named(self, tmp_path, monkeypatch, ca):
        monkeypatch.chdir(tmp_path)
        files = write_files(tmp_path, ca)
        for name, setting in (("key_file", "web.tls.key_file"), ("client_ca_file", "web.tls.client_ca_file")):
            broken = tmp_path / "broken.pem"
            broken.write_text("no certificate")
            tls = load_settings(state_dir=tmp_path, web={"tls": files | {name: str(broken)}}).web.tls
            with pytest.raises(TlsRefused, match=setting):
                context(tls)
