"""S1: no secret lies in the repository, and what looks like one is invented and listed here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.ops.secret_shapes import found_in

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = {"0123456789abcdef0123456789abcdef", "postgresql://user:password@h"}
"""What comments and documents show; it opens nothing."""
INVENTED = {
    "channels/smpp/simulator.py": {"invented"},
    "channels/smtp/simulator.py": {"invented-key-of-the-mail-simulator"},
    "tests/accounts/conftest.py": {"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"},
    "tests/alerts/test_corpus.py": {"+polygon_malformed"},
    "tests/channels/mqtt/test_mqtt_frames.py": {"invented"},
    "tests/channels/mqtt/test_mqtt_gateway.py": {"invented-wrong"},
    "tests/channels/smpp/test_adapter.py": {r"a\x00b", r"gehe\u00efm"},
    "tests/channels/smpp/test_foreign_peers.py": {"invented"},
    "tests/channels/smtp/localhost.pem": {"-----BEGIN PRIVATE KEY-----"},
    "tests/channels/smtp/test_smtp_listener.py": {"invented-key-of-a-test"},
    "tests/channels/smtp/test_smtp_tls.py": {
        "another-invented-one",
        "gateway",
        "invented",
        "invented-key-of-a-test",
    },
    "tests/desk/conftest.py": {"8f1c7a02"},
    "tests/feeds/test_cap_index.py": {"https://desk:secret@e"},
    "tests/feeds/test_fetch.py": {"http://user:word@1"},
    "tests/feeds/test_fetch_hostile.py": {"https://user:word@f"},
    "tests/feeds/test_health.py": {"0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"},
    "tests/ops/test_log.py": {
        "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
        "hunter2-invented",
        "postgresql://tongda:hunter2-invented@d",
    },
    "tests/ops/test_settings.py": {
        "5f3a9c0e7b1d48266a94c1f0e3b7d582",
        "hunter2",
        "mysql://u:hunter2@h",
        "postgresql://u:hunter2@h",
    },
    "tests/partners/test_partner_keys.py": {"whsec_"},
    "tests/publish/test_publish_publication.py": {"8f1c09d28f1c09d28f1c09d28f1c09d2", "invented"},
    "tests/publish/test_publish_webhooks.py": {"http://user:word@1"},
    "tests/web/console/test_admin_log.py": {
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "postgresql://gateway:****@d",
    },
    "tests/web/console/test_channels_page.py": {
        "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
        "invented-password",
        "invented-token",
    },
    "tests/web/console/test_elsewhere.py": {"tongda"},
    "tests/web/console/test_inbox_page.py": {"0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"},
}
"""File -> what looks like a secret there and was made up for it."""
LOCKS = (".lock",)
"""Hashes of packages are keys in hex to the eye only."""
HERE = {"tests/ops/test_secrets.py", "tests/ops/secret_shapes.py"}

# Put together, so that no scanner of somebody else finds this file.
CAUGHT = {
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "a password in an address": "rediss://desk:" + "hunter2@redis.county.example.org",
    "a token of a known service": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a key of a WeCom robot": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" + "0a1b2c3d-" * 3,
    "a key in hex": "8a" * 32,
    "a secret that is written out": 'smtp_password = "' + 'correct-horse"',
}


def tracked() -> list[str]:
    """The files of the repository; what lies beside them is nobody's business."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout of git: its files cannot be told from others")
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """A file as text; pictures, fonts and packed files are looked at as well."""
    return path.read_bytes().decode("utf-8", "replace")


class TestTheRepository:
    def test_has_no_secret_that_is_not_invented(self):
        strange = {
            (name, shape, found)
            for name in tracked()
            if not name.endswith(LOCKS) and name not in HERE
            for shape, found in found_in(text_of(ROOT / name))
            if found not in SAMPLES | INVENTED.get(name, set())
        }
        assert strange == set()

    def test_has_every_invented_one_that_is_listed(self):
        gone = {
            (name, one)
            for name, listed in INVENTED.items()
            for one in listed
            if one not in text_of(ROOT / name)
        }
        assert gone == set()

    def test_tracks_no_file_of_keys_or_local_settings(self):
        kinds = (".key", ".p12", ".pfx", ".jks", ".env", ".kdbx", "id_rsa", "id_ed25519", "tongda.toml")
        assert [name for name in tracked() if name.endswith(kinds)] == []

    @pytest.mark.parametrize("shape", CAUGHT)
    def test_would_be_caught_with(self, shape):
        assert shape in [found for found, _ in found_in(f"x {CAUGHT[shape]} y")]
