"""Signatures: what is trusted, what is merely intact, and every way to make one vouch for something else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, ClassVar

import pytest
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from gateway.alerts.findings import Refused
from gateway.alerts.parse import parse
from gateway.alerts.signature import KeyRefused, load_certificates, load_key, sign, verify
from tests.alerts.pki import NOW, Holder, make, write_certificates, write_key

if TYPE_CHECKING:
    from pathlib import Path

DS = "http://www.w3.org/2000/09/xmldsig#"
CAP = "urn:oasis:names:tc:emergency:cap:1.2"
PLAIN = f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="{CAP}"><identifier>A-1</identifier><sender>desk@example.org</sender>
<sent>2026-07-01T10:00:00+08:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency>
<severity>Severe</severity><certainty>Observed</certainty><headline>北山镇暴雨 &amp; 大风</headline>
<area><areaDesc>北山镇</areaDesc><polygon>30,110 30,111 31,111 30,110</polygon></area></info></alert>
""".encode()


@cache
def authority() -> Holder:
    return make("Invented authority", authority=True)


@cache
def signer(kind: str = "ec") -> Holder:
    return make("Invented bureau", kind, issuer=authority())


@cache
def stranger() -> Holder:
    return make("Stranger")


def signed(holder: Holder | None = None, data: bytes = PLAIN) -> bytes:
    holder = holder or signer()
    return sign(data, holder.key, [holder.certificate])


def verdict(data: bytes, *pins: Holder, now: datetime = NOW):
    return verify(data, [one.certificate for one in pins], now)


def state(data: bytes, *pins: Holder, now: datetime = NOW) -> str:
    return verdict(data, *(pins or (authority(),)), now=now).state


class OldSigner(XMLSigner):
    """Signs with SHA-1 as well."""

    def check_deprecated_methods(self):
        pass


def raw(data: bytes = PLAIN, holder: Holder | None = None, reference: str | None = None, **how) -> bytes:
    """Signed by the library alone, with algorithms and a reference of our choice."""
    holder = holder or signer()
    how.setdefault("signature_algorithm", SignatureMethod.ECDSA_SHA256)
    maker = OldSigner(**how)
    tree = maker.sign(
        etree.fromstring(data), key=holder.key, cert=[holder.certificate], reference_uri=reference
    )
    return etree.tostring(tree, encoding="UTF-8", xml_declaration=True)


def without_certificate(data: bytes) -> bytes:
    return re.sub(rb"<KeyInfo>.*</KeyInfo>", b"", data, flags=re.DOTALL)


class TestOwnSignatures:
    @pytest.mark.parametrize("kind", ["ec", "p384", "rsa"])
    def test_what_we_sign_is_valid_and_says_the_same(self, kind):
        made = signed(signer(kind))
        assert state(made) == "valid-trusted"
        bare = parse(made).alert.model_copy(update={"signatures": ()})
        assert bare == parse(PLAIN).alert

    def test_the_signature_is_the_last_element_in_exclusive_canonical_form_with_sha256(self):
        root = etree.fromstring(signed())
        assert root[-1].tag == f"{{{DS}}}Signature"
        named = {one.get("Algorithm") for one in root[-1].iter() if one.get("Algorithm")}
        assert named == {
            "http://www.w3.org/2001/10/xml-exc-c14n#",
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
            "http://www.w3.org/2001/04/xmlenc#sha256",
        }

    @pytest.mark.parametrize("kind", ["ec", "rsa"])
    def test_a_foreign_verifier_accepts_it(self, kind):
        holder = signer(kind)
        rules = SignatureConfiguration(verification_time=NOW, location="./")
        found = XMLVerifier().verify(signed(holder), x509_cert=holder.certificate, expect_config=rules)
        assert parse(found.signed_data).alert == parse(PLAIN).alert

    def test_a_key_of_another_certificate_is_refused(self):
        with pytest.raises(KeyRefused, match="does not fit"):
            sign(PLAIN, signer().key, [stranger().certificate])

    def test_what_cannot_be_read_is_not_signed(self):
        with pytest.raises(Refused):
            sign(b"<alert/>", signer().key, [signer().certificate])

    def test_carriage_returns_and_characters_beyond_the_first_plane_survive(self):
        data = PLAIN.replace("暴雨 &amp;".encode(), "a&#13;b𠀀 \u00a0&amp;".encode())
        assert state(signed(data=data)) == "valid-trusted"


class TestTrust:
    def test_a_pinned_signer_is_trusted(self):
        assert state(signed(), signer()) == "valid-trusted"

    def test_a_pinned_signer_is_found_without_a_certificate_in_the_message(self):
        assert state(without_certificate(signed()), stranger(), signer()) == "valid-trusted"

    def test_without_pin_and_certificate_nothing_can_be_said(self):
        assert state(without_certificate(signed()), authority()) == "unverifiable"

    def test_a_stranger_is_intact_but_not_trusted(self):
        found = verdict(signed(stranger()), authority())
        assert found.state == "valid-untrusted"
        assert found.signatures[0].signer == "CN=Stranger"

    def test_without_any_pin_nobody_is_trusted(self):
        assert verify(signed(), [], NOW).state == "valid-untrusted"

    def test_a_chain_of_two_leads_to_the_authority(self):
        between = make("Between", issuer=authority(), authority=True)
        leaf = make("Leaf", issuer=between)
        made = sign(PLAIN, leaf.key, [leaf.certificate, between.certificate])
        assert state(made) == "valid-trusted"

    def test_an_authority_of_the_same_name_is_another(self):
        namesake = make("Invented authority", authority=True)
        assert state(signed(), namesake) == "valid-untrusted"

    def test_who_is_no_authority_cannot_vouch_for_another(self):
        leaf = make("Leaf", issuer=signer())
        made = sign(PLAIN, leaf.key, [leaf.certificate, signer().certificate])
        assert state(made) == "valid-untrusted"
        assert state(made, signer()) == "valid-untrusted"

    @pytest.mark.parametrize(
        ("begin", "end"),
        [(NOW - timedelta(days=9), NOW - timedelta(days=1)), (NOW + timedelta(days=1), NOW + timedelta(9))],
    )
    def test_a_certificate_out_of_its_time_is_not_trusted_and_its_dates_are_told(self, begin, end):
        holder = make("Old", issuer=authority(), begin=begin, end=end)
        found = verdict(signed(holder), authority(), holder)
        assert found.state == "valid-untrusted"
        assert f"{end:%Y-%m-%d}" in found.signatures[0].sentence

    def test_an_authority_out_of_its_time_vouches_for_nobody(self):
        old = make("Old authority", authority=True, end=NOW - timedelta(days=1))
        assert state(signed(make("Leaf", issuer=old)), old) == "valid-untrusted"

    def test_a_certificate_that_is_not_for_signatures_is_not_trusted(self):
        holder = make("Encrypts", issuer=authority(), signs=False)
        assert state(signed(holder)) == "valid-untrusted"

    def test_a_pinned_certificate_without_extensions_is_trusted(self):
        holder = make("Plain", extensions=False)
        assert state(signed(holder), holder) == "valid-trusted"

    @pytest.mark.parametrize("kind", ["weak", "koblitz"])
    def test_a_weak_key_is_not_relied_on(self, kind):
        holder = make("Weak", kind)
        how = SignatureMethod.RSA_SHA256 if kind == "weak" else SignatureMethod.ECDSA_SHA256
        assert state(raw(holder=holder, signature_algorithm=how), holder) == "unverifiable"

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_certificate_renewed_for_the_same_key_counts_beside_the_one_that_ended(self, order):
        old = make("Invented bureau", end=NOW - timedelta(days=1))
        renewed = make("Invented bureau", key=old.key)
        data = signed(renewed)
        assert state(data, *(old, renewed)[::order]) == "valid-trusted"
        assert state(data, old) == "valid-untrusted"

    def test_so_does_one_that_the_authority_has_renewed(self):
        old = make("Invented bureau", end=NOW - timedelta(days=1))
        renewed = make("Invented bureau", key=old.key, issuer=authority())
        assert state(signed(renewed), old, authority()) == "valid-trusted"

    def test_a_fingerprint_names_the_certificate(self):
        found = verdict(signed(), authority()).signatures[0]
        assert re.fullmatch(r"[0-9a-f]{64}", found.fingerprint)


class TestChangesAfterSigning:
    CHANGES: ClassVar = {
        "text": ("暴雨 ".encode(), "暴風 ".encode()),
        "white space between elements": (b"</sender>\n", b"</sender>\n\n"),
        "white space within a value": (b"<identifier>A-1", b"<identifier> A-1"),
        "element removed": (b"<language>zh-CN</language>", b""),
        "element added": (b"<scope>", b"<note>x</note><scope>"),
        "attribute added": (b"<info>", b'<info xml:lang="zh">'),
        "digest": (b"<DigestValue>", b"<DigestValue>AAAA"),
        "instruction": (b"<info>", b"<?x y?><info>"),
    }

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_change_makes_it_invalid(self, change):
        old, new = self.CHANGES[change]
        made = signed()
        assert old in made
        assert state(made.replace(old, new)) == "invalid"

    def test_an_attribute_that_is_changed_makes_it_invalid(self):
        data = PLAIN.replace(b"<info>", b'<info xml:lang="zh">')
        assert state(signed(data=data).replace(b'lang="zh"', b'lang="en"')) == "invalid"

    def test_another_certificate_put_in_makes_it_invalid(self):
        mine, theirs = (re.search(rb"<X509Certificate>(.*?)</", signed(one), re.DOTALL)[1]
                        for one in (signer(), stranger()))  # fmt: skip
        assert verify(signed().replace(mine, theirs), [], NOW).state == "invalid"

    def test_a_comment_is_no_change(self):
        assert state(signed().replace(b"<info>", b"<!-- seen --><info>")) == "valid-trusted"

    def test_the_same_in_another_encoding_is_no_change(self):
        text = signed().decode().replace("UTF-8", "UTF-16", 1)
        assert state(text.encode("utf-16")) == "valid-trusted"


class TestWrapping:
    """Ways to keep a genuine signature and say something else (CAP 1.2, 3.3.4; XML-DSig wrapping)."""

    FALSE = PLAIN.replace(b"A-1", b"A-2").replace("暴雨".encode(), "地震".encode())

    def genuine(self, identified: bool = False) -> etree._Element:
        if not identified:
            return etree.fromstring(signed())
        data = PLAIN.replace(b"<alert ", b'<alert Id="one" ')
        return etree.fromstring(raw(data, reference="one"))

    def false(self, **attributes) -> etree._Element:
        root = etree.fromstring(self.FALSE)
        root.attrib.update(attributes)
        return root

    def moved(self, root, genuine, into):
        """The false alert with the genuine signature, the genuine alert put away in ``into``."""
        signature = genuine.find(f"{{{DS}}}Signature")
        root.append(signature)
        into.append(genuine)
        return etree.tostring(root)

    def test_an_alert_signed_by_its_id_is_valid(self):
        assert state(etree.tostring(self.genuine(identified=True))) == "valid-trusted"

    def test_1_the_genuine_alert_in_a_foreign_element(self):
        root = self.false()
        into = etree.SubElement(root, "{urn:example:x}kept")
        assert state(self.moved(root, self.genuine(identified=True), into)) == "invalid"

    def test_2_the_genuine_alert_in_an_object_of_its_own_signature(self):
        root = self.false()
        genuine = self.genuine(identified=True)
        signature = genuine.find(f"{{{DS}}}Signature")
        root.append(signature)
        etree.SubElement(signature, f"{{{DS}}}Object").append(genuine)
        assert state(etree.tostring(root)) == "invalid"

    @pytest.mark.parametrize("spelling", ["Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id"])
    def test_3_both_alerts_bear_the_id(self, spelling):
        root = self.false(**{spelling: "one"})
        into = etree.SubElement(root, "{urn:example:x}kept")
        assert state(self.moved(root, self.genuine(identified=True), into)) == "invalid"

    def test_4_the_genuine_alert_whole_inside_of_a_false_one(self):
        root = self.false()
        etree.SubElement(root, "{urn:example:x}kept").append(self.genuine())
        assert state(etree.tostring(root)) == "invalid"

    def test_5_a_signature_over_an_info_block_only(self):
        data = PLAIN.replace(b"<info>", b'<info Id="part">')
        assert state(raw(data, reference="part")) == "invalid"

    def test_6_a_signature_that_holds_what_it_signs(self):
        enveloping = raw(method=SignatureConstructionMethod.enveloping)
        root = self.false()
        root.append(etree.fromstring(enveloping))
        assert state(etree.tostring(root)) != "valid-trusted"

    def test_7_a_second_reference_beside_the_genuine_one(self):
        root = self.genuine()
        info = root.find(f".//{{{DS}}}SignedInfo")
        info.append(etree.fromstring(etree.tostring(info.find(f"{{{DS}}}Reference"))))
        assert state(etree.tostring(root)) == "unverifiable"

    def test_8_a_genuine_signature_pasted_under_a_false_alert(self):
        root = self.false()
        root.append(self.genuine().find(f"{{{DS}}}Signature"))
        assert state(etree.tostring(root)) == "invalid"

    def test_9_two_roots_are_no_xml(self):
        assert state(signed() + self.FALSE.split(b"?>")[1]) == "unverifiable"


class TestWhatIsNotReliedOn:
    @pytest.mark.parametrize(
        "how",
        [
            {"signature_algorithm": SignatureMethod.ECDSA_SHA1},
            {"digest_algorithm": DigestAlgorithm.SHA1},
            {"signature_algorithm": SignatureMethod.ECDSA_SHA224},
        ],
        ids=["SHA-1", "SHA-1 digest", "SHA-224"],
    )
    def test_old_algorithms(self, how):
        assert state(raw(**how)) == "unverifiable"

    def test_a_shared_secret_that_came_with_the_message(self):
        made = XMLSigner(signature_algorithm=SignatureMethod.HMAC_SHA256).sign(
            etree.fromstring(PLAIN), key=b"an invented secret of nobody at all"
        )
        assert state(etree.tostring(made)) == "unverifiable"

    @pytest.mark.parametrize("uri", ["http://127.0.0.1:9/x", "file:///etc/hostname", "x.xml", "#xpointer(/)"])
    def test_references_elsewhere(self, uri):
        made = signed().replace(b'URI=""', f'URI="{uri}"'.encode())
        assert state(made) in {"unverifiable", "invalid"}

    @pytest.mark.parametrize(
        "transform",
        [
            "http://www.w3.org/TR/1999/REC-xslt-19991116",
            "http://www.w3.org/TR/1999/REC-xpath-19991116",
            "http://www.w3.org/2000/09/xmldsig#base64",
        ],
    )
    def test_transforms_that_change_what_is_seen(self, transform):
        made = signed().replace(b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"',
                                f'<Transform Algorithm="{transform}"'.encode())  # fmt: skip
        assert state(made) == "unverifiable"

    def test_a_thousand_transforms_are_not_worked_through(self):
        one = b'<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'
        assert state(signed().replace(one, one * 1000)) == "unverifiable"

    def test_a_document_type_is_refused(self):
        made = signed().replace(b"<alert ", b'<!DOCTYPE alert [<!ENTITY a "b">]><alert ', 1)
        found = verdict(made, authority())
        assert (found.state, "DOCTYPE" in found.signatures[0].sentence) == ("unverifiable", True)

    def test_more_signatures_than_are_looked_at(self):
        made = signed()
        for _ in range(5):
            made = signed(data=made)
        assert state(made) == "unverifiable"

    @pytest.mark.parametrize("inside", [b"", b"<SignedInfo/>", b"<SignedInfo/><SignatureValue/>"])
    def test_a_signature_with_nothing_in_it(self, inside):
        made = PLAIN.replace(
            b"</alert>", b'<Signature xmlns="%s">%s</Signature></alert>' % (DS.encode(), inside)
        )
        assert state(made) == "unverifiable"

    @pytest.mark.parametrize("text", [b"", b"AAAA", b"!", b"A" * 100_000])
    def test_certificates_that_are_none(self, text):
        made = re.sub(
            rb"<X509Certificate>.*?</", b"<X509Certificate>" + text + b"</", signed(), flags=re.DOTALL
        )
        assert state(made) == "unverifiable"


class TestSeveralSignatures:
    def test_a_later_signature_does_not_spoil_the_earlier_one(self):
        found = verdict(signed(stranger(), signed()), authority())
        assert [one.state for one in found.signatures] == ["valid-trusted", "valid-untrusted"]
        assert found.state == "valid-trusted"

    def test_each_may_be_over_the_message_without_the_other(self):
        root = etree.fromstring(signed())
        root.append(etree.fromstring(signed(stranger())).find(f"{{{DS}}}Signature"))
        assert verdict(etree.tostring(root), authority()).state == "valid-trusted"

    def test_one_that_is_invalid_spoils_all(self):
        root = etree.fromstring(signed())
        other = etree.fromstring(signed(stranger(), PLAIN.replace(b"A-1", b"A-2")))
        root.append(other.find(f"{{{DS}}}Signature"))
        found = verdict(etree.tostring(root), authority())
        assert [one.state for one in found.signatures] == ["valid-trusted", "invalid"]
        assert found.state == "invalid"

    def test_one_of_an_unknown_kind_spoils_nothing(self):
        both = raw(signed(), stranger(), signature_algorithm=SignatureMethod.ECDSA_SHA1)
        assert verdict(both, authority()).state == "valid-trusted"


class TestForeignSigners:
    @pytest.mark.parametrize("method", [one for one in SignatureMethod
                                        if re.fullmatch(r"(RSA|ECDSA)_SHA(256|384|512)|SHA(256|384|512)_RSA_MGF1", one.name)])  # fmt: skip  # noqa: E501
    @pytest.mark.parametrize("canonical", list(CanonicalizationMethod))
    def test_each_allowed_method_in_each_canonical_form(self, method, canonical):
        holder = signer("ec" if "ECDSA" in method.name else "rsa")
        made = raw(holder=holder, signature_algorithm=method, c14n_algorithm=canonical)
        assert state(made) == "valid-trusted"
        assert state(made.replace(b"A-1", b"A-2")) == "invalid"

    def test_the_archived_messages_of_ipaws_are_intact_and_by_nobody_pinned(self, corpus):
        for name in ("ipaws_local_area_emergency", "ipaws_nevada_cancel_no_info"):
            data = (corpus / "cap" / f"{name}.xml").read_bytes()
            found = verify(data, [], datetime(2019, 12, 14, tzinfo=UTC))
            assert found.state == "valid-untrusted"
            assert "IPAWSOPEN" in found.signatures[0].signer
            assert verify(data.replace(b"Public", b"Private"), [], NOW).state == "invalid"

    def test_the_archived_messages_of_ipaws_are_trusted_once_their_certificate_is_pinned(
        self, corpus, tmp_path
    ):
        data = (corpus / "cap" / "ipaws_local_area_emergency.xml").read_bytes()
        bare = re.search(rb"<X509Certificate>(.*?)</", data)[1]
        pem = tmp_path / "pin.pem"
        pem.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + bare + b"\n-----END CERTIFICATE-----\n")
        pins = load_certificates([pem])
        assert verify(data, pins, datetime(2019, 12, 14, tzinfo=UTC)).state == "valid-trusted"
        assert verify(data, pins, NOW).state == "valid-untrusted"

    def test_the_archived_messages_with_sha1_are_not_relied_on(self, corpus):
        data = (corpus / "cap" / "sambro_tropicalcyclone20150806.xml").read_bytes()
        assert verify(data, [], NOW).state == "unverifiable"

    def test_no_file_of_the_corpus_makes_it_raise(self, corpus):
        for path in sorted([*(corpus / "cap").glob("*.xml"), *(corpus / "cap_bad").rglob("*.xml")]):
            verify(path.read_bytes(), [authority().certificate], NOW)

    def test_no_signature_is_absent(self):
        assert state(PLAIN) == "absent"


class TestFiles:
    def test_a_key_is_read(self, tmp_path: Path):
        path = write_key(signer(), tmp_path / "key.pem")
        assert load_key(path).public_key() == signer().certificate.public_key()

    def test_an_encrypted_key_is_read_with_its_password(self, tmp_path):
        path = write_key(signer(), tmp_path / "key.pem", "invented")
        assert load_key(path, "invented").public_key() == signer().certificate.public_key()

    @pytest.mark.parametrize(
        ("kind", "kept", "given", "mode", "words"),
        [
            ("ec", "invented", None, 0o600, "is encrypted"),
            ("ec", "invented", "other", 0o600, "password is wrong"),
            ("ec", None, "given", 0o600, "has no password"),
            ("ec", None, None, 0o644, "chmod 600"),
            ("weak", None, None, 0o600, "2048"),
            ("koblitz", None, None, 0o600, "P-256"),
            ("ed25519", None, None, 0o600, "RSA"),
        ],
    )
    def test_a_key_that_cannot_be_used_is_refused_in_words(self, tmp_path, kind, kept, given, mode, words):
        path = write_key(make("x", kind), tmp_path / "key.pem", kept, mode)
        with pytest.raises(KeyRefused, match=words):
            load_key(path, given)

    def test_files_that_are_absent_or_something_else_are_refused_in_words(self, tmp_path):
        with pytest.raises(KeyRefused, match="cannot be read"):
            load_key(tmp_path / "none.pem")
        odd = tmp_path / "odd.pem"
        odd.write_text("nothing")
        odd.chmod(0o600)
        with pytest.raises(KeyRefused, match="no private key"):
            load_key(odd)
        with pytest.raises(KeyRefused, match="no certificate"):
            load_certificates([odd])

    def test_certificates_come_in_the_order_of_the_files(self, tmp_path):
        one = write_certificates(tmp_path / "one.pem", signer(), authority())
        two = write_certificates(tmp_path / "two.pem", stranger())
        found = load_certificates([one, two])
        assert found == [signer().certificate, authority().certificate, stranger().certificate]
