"""Each public release, and nothing else, becomes one signed message that is made once."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.alerts.certificates import KeyRefused
from gateway.alerts.parse import parse
from gateway.alerts.signature import sign, verify
from gateway.publish.publication import Publisher, Signer, beginning, prepare
from gateway.publish.settings import PublishSettings, WebhookSettings
from gateway.settings import SettingsRefused, load_settings
from gateway.store import alarms
from gateway.store import publish as store
from tests.alerts.pki import make, write_certificates, write_key
from tests.desk.conftest import START, fields, sent
from tests.publish.conftest import OLD_SECRET, SECRET, follow, hook

PUBLISHED = "SELECT alert_id, identifier, status, scope, mode, xml, sha256 FROM publications ORDER BY id"

OPENSSL = r"make one: printf 'whsec_%s' \"\$\(openssl rand -base64 32\)\""


class TestWhatIsPublished:
    async def test_a_public_release_is_published_signed(self, desk, publisher, sql, bureau):
        released = await sent(desk)
        assert await publisher.publish_due() == 1
        (row,) = await sql(PUBLISHED)
        assert (row.alert_id, row.identifier) == (released.id, released.identifier)
        assert row.sha256 == hashlib.sha256(row.xml).hexdigest()
        assert verify(row.xml, [bureau.certificate], START).state == "valid-trusted"
        bare = parse(row.xml).alert.model_copy(update={"signatures": ()})
        assert bare == parse(released.xml).alert

    async def test_what_is_not_released_is_not_published(self, desk, publisher):
        await desk.draft(fields(), "author")
        assert await publisher.publish_due() == 0

    async def test_a_drill_never_is(self, desk, publisher, sql):
        drill = await sent(desk, mode="drill")
        assert drill.state == "released"
        assert await publisher.publish_due() == 0
        assert await sql(PUBLISHED) == []

    @pytest.mark.parametrize(
        "change", ["scope = 'Restricted'", "scope = 'Private'", "status = 'Exercise'", "status = 'Test'"]
    )
    async def test_what_is_not_public_or_not_in_earnest_never_is(self, desk, publisher, sql, change):
        await sent(desk)
        await sql(f"UPDATE alerts SET {change}")
        assert await publisher.publish_due() == 0

    @pytest.mark.parametrize("change", ["scope = 'Restricted'", "status = 'Exercise'", "mode = 'drill'"])
    async def test_the_database_itself_refuses_it(self, desk, database, sql, change):
        released = await sent(desk)
        await sql(f"UPDATE alerts SET {change} WHERE id = :id", id=released.id)
        with pytest.raises(IntegrityError, match="ck_publications_public"):
            async with database.begin() as connection:
                await store.publish(connection, released.id, b"x", "x", "{}", START)

    async def test_an_update_and_a_cancel_are_published_as_well(self, desk, publisher, sql):
        first = await sent(desk)
        second = await follow(desk, await desk.update(first.id, "author"))
        await follow(desk, (await desk.show(second.id)).cancel)
        assert await publisher.publish_due() == 3
        kinds = [parse(row.xml).alert.msg_type for row in await sql(PUBLISHED)]
        assert kinds == ["Alert", "Update", "Cancel"]

    async def test_what_ended_long_ago_is_left_alone(self, desk, publisher, clock, sql):
        await sent(desk)
        await sql("UPDATE releases SET released_at = :at", at=START)
        clock.advance(timedelta(days=2).total_seconds())
        assert await publisher.publish_due() == 0

    async def test_what_ended_while_nobody_published_is_published_late(self, desk, publisher, clock, sql):
        await sent(desk)
        await sql("UPDATE releases SET released_at = :at", at=START)
        clock.advance(timedelta(hours=20).total_seconds())
        assert await publisher.publish_due() == 1


class TestOutOfOrder:
    async def test_what_is_published_after_its_cancel_is_not_in_force_and_told_to_nobody(
        self, desk, outgoing, database, sql, clock
    ):
        publisher, _ = outgoing(city=hook("http://city.example.org/"))
        released = await sent(desk)
        await sql("UPDATE alerts SET xml = '\\x00' WHERE id = :id", id=released.id)
        assert await publisher.publish_due() == 0
        cancel = await follow(desk, (await desk.show(released.id)).cancel)
        assert await publisher.publish_due() == 1
        await sql("UPDATE alerts SET xml = :xml WHERE id = :id", xml=released.xml, id=released.id)
        clock.advance(2)
        assert await publisher.publish_due() == 1
        async with database.begin() as connection:
            listed = await store.index(connection, clock.now(), 10)
        assert [one.identifier for one in listed] == [cancel.identifier]
        told = await sql(
            "SELECT p.identifier FROM webhook_deliveries AS d "
            "JOIN publications AS p ON p.id = d.publication_id"
        )
        assert [row.identifier for row in told] == [cancel.identifier]


class TestOnce:
    async def test_a_second_look_changes_nothing(self, desk, publisher, sql):
        await sent(desk)
        await publisher.publish_due()
        before = await sql(PUBLISHED)
        assert await publisher.publish_due() == 0
        assert await sql(PUBLISHED) == before

    async def test_several_copies_write_one_publication(self, desk, outgoing, sql):
        await sent(desk)
        copies = [outgoing()[0] for _ in range(4)]
        await asyncio.gather(*(one.publish_due() for one in copies))
        assert len(await sql(PUBLISHED)) == 1

    async def test_it_hears_of_a_release_by_itself(self, desk, database, signer, clock, sql):
        publisher = Publisher(database, signer, {}, clock=clock)
        task = asyncio.create_task(publisher.run())
        try:
            await sent(desk)
            async with asyncio.timeout(30):
                await publisher.published.wait()
            assert len(await sql(PUBLISHED)) == 1
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class TestWhenOneFails:
    async def test_the_others_go_on_and_an_alarm_stands_until_it_is_mended(
        self, desk, publisher, database, sql, clock
    ):
        broken = await sent(desk)
        good = await sent(desk)
        await sql("UPDATE alerts SET xml = '\\x00' WHERE id = :id", id=broken.id)
        assert await publisher.publish_due() == 1
        assert [row.alert_id for row in await sql(PUBLISHED)] == [good.id]
        (alarm,) = await standing(database)
        assert (alarm.subject, alarm.code) == (f"alert {broken.id}", "not_published")

        await sql("UPDATE alerts SET xml = :xml WHERE id = :id", xml=broken.xml, id=broken.id)
        assert await publisher.publish_due() == 0
        clock.advance(2)
        assert await publisher.publish_due() == 1
        assert await standing(database) == []


async def standing(database):
    async with database.begin() as connection:
        return await alarms.standing(connection)


PLAIN = b"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>A-1</identifier>
<sender>desk@example.org</sender><sent>2026-07-01T10:00:00+08:00</sent><status>Actual</status>
<msgType>Alert</msgType><scope>Public</scope><info><category>Met</category><event>Rain</event>
<urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>
<resource><resourceDesc>map</resourceDesc><mimeType>image/png</mimeType><uri>map.png</uri>
<derefUri>QUJD</derefUri></resource><area><areaDesc>here</areaDesc></area></info></alert>"""


PLACEHOLDER = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>'


class TestTheBytes:
    def test_embedded_content_stays_here(self, signer):
        assert b"derefUri" in PLAIN
        assert b"derefUri" not in prepare(PLAIN, signer)

    @pytest.mark.parametrize(
        "element",
        [
            '<phone xmlns="urn:invented">13900000000</phone>',
            f'<x xmlns="urn:invented">{PLACEHOLDER}</x>',
            PLACEHOLDER,
        ],
    )
    def test_elements_foreign_to_cap_stay_here(self, signer, bureau, element):
        made = prepare(PLAIN.replace(b"</info>", element.encode() + b"</info>"), signer)
        assert verify(made, [bureau.certificate], START).state == "valid-trusted"
        assert b"invented" not in made
        assert b"placeholder" not in made

    def test_a_signature_of_somebody_else_does_not_go_out_over_what_we_wrote(self, signer, bureau):
        other = make("Other")
        made = prepare(sign(PLAIN, other.key, [other.certificate]), signer)
        found = verify(made, [bureau.certificate], START)
        assert (found.state, len(found.signatures)) == ("valid-trusted", 1)

    def test_without_a_key_they_are_not_signed(self):
        assert verify(prepare(PLAIN, None), [], START).state == "absent"


class TestTheSigner:
    def test_it_is_read_from_the_files(self, tmp_path, bureau):
        settings = PublishSettings(
            key_file=write_key(bureau, tmp_path / "key.pem", "invented"),
            key_password="invented",
            certificate_file=write_certificates(tmp_path / "certificate.pem", bureau),
        )
        assert Signer.load(settings).certificates == [bureau.certificate]

    def test_files_that_do_not_fit_are_refused(self, tmp_path, bureau):
        settings = PublishSettings(
            key_file=write_key(make("Other"), tmp_path / "key.pem"),
            certificate_file=write_certificates(tmp_path / "certificate.pem", bureau),
        )
        with pytest.raises(KeyRefused, match="does not fit"):
            Signer.load(settings)

    @pytest.mark.parametrize(("real", "given"), [("invented", None), (None, "invented"), ("invented", "x")])
    def test_a_password_that_does_not_fit_names_its_setting(self, tmp_path, bureau, real, given):
        settings = PublishSettings(
            key_file=write_key(bureau, tmp_path / "key.pem", real),
            key_password=given,
            certificate_file=write_certificates(tmp_path / "certificate.pem", bureau),
        )
        with pytest.raises(KeyRefused, match=r"publish\.key_password"):
            Signer.load(settings)

    def test_no_files_are_no_signer(self):
        assert Signer.load(PublishSettings()) is None

    @pytest.mark.parametrize(("days", "alarm"), [(100, False), (10, True), (-1, True)])
    async def test_a_certificate_that_ends_is_told_in_time(self, database, clock, days, alarm):
        holder = make("Ends", end=START + timedelta(days=days))
        publisher = Publisher(database, Signer(holder.key, [holder.certificate]), {}, clock=clock)
        await publisher.check_certificate()
        assert [one.code for one in await standing(database)] == ["certificate_ends"] * alarm


class TestSettings:
    @pytest.mark.parametrize(
        ("code", "digits"),
        [
            ("330604000000", "330604"),
            ("330604", "330604"),
            ("33", "33"),
            ("3306", "3306"),
            ("999901101000", "999901101"),
        ],
    )
    def test_a_region_is_the_beginning_of_codes(self, code, digits):
        assert beginning(code) == digits

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"url": "http://partner.example.org/"}, "allow_http"),
            ({"secrets": "8f1c09d2" * 8}, f"begins with whsec_; {OPENSSL}"),
            ({"secrets": ["whsec_!8f1c09d28f1c09d28f1c09d28f1c09d2"]}, f"not base64 .*{OPENSSL}"),
            ({"secrets": SECRET.rstrip("=")}, "its = at the end"),
            ({"secrets": "whsec_QUJD"}, f"at least 24 bytes; {OPENSSL}"),
            ({"secrets": "whsec_"}, "at least 24 bytes"),
            ({"secrets": "whsec_" + "A" * 44}, "can be guessed"),
            ({"secrets": []}, "secrets"),
            ({"levels": ["purple"]}, "levels"),
            ({"regions": ["x"]}, "regions"),
        ],
    )
    def test_a_webhook_that_cannot_be_is_refused_in_words(self, tmp_path, monkeypatch, changes, words):
        monkeypatch.chdir(tmp_path)
        good = {"url": "https://partner.example.org/", "secrets": SECRET}
        with pytest.raises(SettingsRefused, match=words) as refused:
            load_settings(publish={"webhooks": {"city": good | changes}})
        assert "\n" not in str(refused.value)
        assert SECRET.rstrip("=") not in str(refused.value)

    @pytest.mark.parametrize("secrets", [SECRET, [SECRET, OLD_SECRET]])
    def test_secrets_of_standard_webhooks_are_taken(self, secrets):
        settings = WebhookSettings(url="https://partner.example.org/", secrets=secrets)
        assert settings.secrets[0].get_secret_value() == SECRET

    def test_a_key_needs_its_certificate(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        key = tmp_path / "key.pem"
        key.write_text("x")
        with pytest.raises(SettingsRefused, match="belong together"):
            load_settings(publish={"key_file": str(key)})
