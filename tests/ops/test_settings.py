"""The keys in here are invented."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path

import pytest

from channels import base
from gateway.ops import ServiceRefused, keys, settings_page
from gateway.settings import ChannelSettings, Settings, SettingsRefused, load_settings, route_settings
from gateway.share import share

ROOT = Path(__file__).resolve().parents[2]
KEY = "5f3a9c0e7b1d48266a94c1f0e3b7d582"
SMS = {"kind": "smpp", "live": {"host": "127.0.0.1", "system_id": "invented", "password": "hunter2"}}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.upper().startswith("TONGDA_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toml(tmp_path, monkeypatch):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("TONGDA_CONFIG", str(path))
        return path

    return write


def refusal(**overrides):
    with pytest.raises(SettingsRefused) as refused:
        load_settings(**overrides)
    text = str(refused.value)
    assert "\n" not in text
    return text


class TestSources:
    def test_everything_has_a_default(self):
        settings = load_settings()
        assert settings.database_url is None
        assert settings.web.port == 8080
        assert settings.web.base_url == "http://127.0.0.1:8080"

    def test_an_argument_beats_the_environment_beats_secrets_beat_toml_beats_the_default(
        self, toml, tmp_path, monkeypatch
    ):
        secrets = tmp_path / "secrets"
        secrets.mkdir()
        monkeypatch.setenv("TONGDA_SECRETS_DIR", str(secrets))
        seen = [load_settings().web.port]
        toml("[web]\nport = 1\n")
        seen.append(load_settings().web.port)
        (secrets / "tongda_web__port").write_text("2\n")
        seen.append(load_settings().web.port)
        monkeypatch.setenv("TONGDA_WEB__PORT", "3")
        seen.append(load_settings().web.port)
        seen.append(load_settings(web={"port": 4}).web.port)
        assert seen == [8080, 1, 2, 3, 4]

    def test_a_file_that_sets_one_name_of_a_section_keeps_the_others(self, toml):
        toml('[web]\nhost = "127.0.0.9"\n[dispatch]\nflush_ms = 7\n')
        settings = load_settings()
        assert (settings.web.host, settings.web.port) == ("127.0.0.9", 8080)
        assert (settings.dispatch.flush_ms, settings.dispatch.lease_seconds) == (7, 8.0)

    def test_the_file_in_the_working_directory_is_read(self, tmp_path):
        (tmp_path / "tongda.toml").write_text("[web]\nport = 9\n")
        assert load_settings().web.port == 9

    def test_systemd_credentials_are_read(self, tmp_path, monkeypatch):
        folder = tmp_path / "credentials"
        folder.mkdir()
        (folder / "TONGDA_SECRETS__CONFIRM_KEY").write_text(KEY)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
        assert keys.confirm_key(load_settings()) == KEY.encode()

    def test_an_empty_variable_is_an_absent_one(self, monkeypatch):
        monkeypatch.setenv("TONGDA_DATABASE_URL", "")
        assert load_settings().database_url is None

    def test_the_packaged_file_says_what_the_models_say(self):
        data = tomllib.loads(share("config/default.toml").read_text(encoding="utf-8"))
        bare = Settings.model_construct()
        for name, value in data.items():
            default = (
                getattr(bare, name) if name in bare.__dict__ else Settings.model_fields[name].get_default()
            )
            default = default if default is not None else Settings.model_fields[name].default_factory()
            given = (
                default.model_dump(exclude_none=True, exclude={"callback_keys"})
                if isinstance(value, dict) and value
                else default
            )
            assert given == value, name


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            (
                "TONGDA_WBE__PORT",
                "1",
                ["TONGDA_WBE__PORT: there is no such setting", "did you mean TONGDA_WEB__PORT?"],
            ),
            ("TONGDA_WEB__PROT", "1", ["TONGDA_WEB__PROT: there is no such setting", "did you mean port?"]),
            ("TONGDA_DATABSE_URL", "x", ["did you mean TONGDA_DATABASE_URL?"]),
            ("TONGDA_QQQ", "x", ["TONGDA_QQQ: there is no such setting; known are: "]),
            ("TONGDA_WEB__PORT", "many", ["TONGDA_WEB__PORT: ", "valid integer"]),
            ("TONGDA_WEB__PORT", "70000", ["TONGDA_WEB__PORT: ", "65535"]),
            (
                "TONGDA_DATABASE_URL",
                "mysql://u:hunter2@h/d",
                ["TONGDA_DATABASE_URL: must begin with postgresql://"],
            ),
            (
                "TONGDA_REDIS_URL",
                "localhost",
                ["TONGDA_REDIS_URL: must begin with redis:// or rediss:// or unix://"],
            ),
            ("TONGDA_WORKERS", "{sms", ["TONGDA_WORKERS: is not valid JSON"]),
            ("TONGDA_WORKERS", '{"sms.urgent": 1}', ["names the queue 'sms.urgent'"]),
            (
                "TONGDA_CHANNELS",
                '{"sms": {"kind": "smmp"}}',
                ["TONGDA_CHANNELS (channels.sms.kind): unknown kind 'smmp'"],
            ),
            ("TONGDA_CONFIG", "/nonexistent.toml", ["TONGDA_CONFIG: there is no file /nonexistent.toml"]),
            ("TONGDA_SECRETS_DIR", "/nonexistent", ["TONGDA_SECRETS_DIR: there is no folder /nonexistent"]),
            ("TONGDA_HAZARDS_FILE", "/nonexistent", ["TONGDA_HAZARDS_FILE: there is no file /nonexistent"]),
            ("TONGDA_DISPATCH__LEASE_SECONDS", "1", ["reconcile_seconds is not shorter than lease_seconds"]),
        ],
    )
    def test_a_bad_variable_is_named_with_the_way_out(self, monkeypatch, name, value, words):
        monkeypatch.setenv(name, value)
        text = refusal()
        assert all(word in text for word in words), text
        assert "hunter2" not in text

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[web]\nprot = 1\n", ["web.prot: there is no such setting; did you mean port?"]),
            ("[wbe]\nport = 1\n", ["wbe: there is no such setting; did you mean web?"]),
            ("[web\n", ["is not TOML"]),
            ('[log]\nlevel = "loud"\n[web]\nport = "x"\n', ["log.level: ", "web.port: "]),
            (
                '[channels.chat]\nkind = "wecom"\n[channels.chat.live]\nraet = 3\n',
                ["channels.chat.live.raet", "mean rate?"],
            ),
            (
                '[channels.chat]\nkind = "wecom"\n[channels.chat.live]\nrate = "x"\n',
                ["channels.chat.live.rate: "],
            ),
            ('[channels."a b"]\nkind = "wecom"\n', ["channels.a b: the name of a channel has small letters"]),
            (
                '[publish.webhooks.City-1]\nurl = "https://partner.example.org/"\n',
                ["publish.webhooks.City-1: the name of a webhook has small letters"],
            ),
            ('[partners.Wa-ter]\nname = "x"\n', ["partners.Wa-ter: the name of a partner has"]),
        ],
    )
    def test_a_bad_file_is_named_with_the_setting(self, toml, text, words):
        path = toml(text)
        refused = refusal()
        assert str(path) in refused
        assert all(word in refused for word in words), refused

    def test_a_mistyped_secret_file_is_named(self, tmp_path, monkeypatch):
        (tmp_path / "tongda_databse_url").write_text("x")
        monkeypatch.setenv("TONGDA_SECRETS_DIR", str(tmp_path))
        assert "did you mean TONGDA_DATABASE_URL?" in refusal()

    def test_an_argument_that_is_unknown_is_refused(self):
        assert "prot" in refusal(web={"prot": 1})

    def test_an_adapter_that_cannot_be_loaded_is_named(self, monkeypatch):
        def broken(_kind):
            raise ImportError("no module named 'invented'")

        monkeypatch.setattr(base, "adapter", broken)
        assert "the adapter 'smpp' cannot be loaded: no module named 'invented'" in refusal(
            channels={"sms": SMS}
        )


class TestChannels:
    def test_a_route_has_the_settings_of_its_adapter(self, monkeypatch):
        monkeypatch.setenv("TONGDA_CHANNELS__SMS__LIVE__WINDOW", "20")
        live = load_settings(channels={"sms": SMS}).channels["sms"].live
        assert isinstance(live, route_settings("smpp"))
        assert live.window == 20

    def test_every_route_that_is_set_has_its_lanes(self):
        settings = load_settings(channels={"sms": SMS}, workers={"sms.urgent": 3})
        assert settings.worker_counts() == {"sms.urgent": 3, "sms.normal": 1}

    def test_no_password_is_shown(self):
        settings = load_settings(channels={"sms": SMS}, database_url="postgresql://u:hunter2@h/d")
        assert "hunter2" not in repr(settings)


class TestKeys:
    """S1: no default, weak or leaked key serves."""

    @pytest.mark.parametrize("weak", ["short", "changeme" * 5, "0" * 64, "my-secret-key-" + KEY, "abab" * 16])
    def test_a_key_that_can_be_guessed_is_refused_and_not_repeated(self, weak):
        text = refusal(secrets={"confirm_key": weak})
        assert "openssl rand -hex 32" in text
        assert weak not in text

    def test_letters_of_a_word_that_chance_brought_do_no_harm(self):
        assert load_settings(secrets={"confirm_key": KEY + "LatestX9"}).secrets.confirm_key

    @pytest.mark.parametrize("weak", ["changeme" * 5, "0" * 64, "abab" * 16, "my-secret-key-" + KEY])
    @pytest.mark.parametrize("mode", ["live", "drill"])
    def test_nor_is_one_of_a_channel_taken(self, weak, mode):
        """S1: the start is refused."""
        routes = {
            "radio": {"kind": "mqtt", mode: {"host": "127.0.0.1", "fleet_key": weak}},
            "mail": {"kind": "smtp", mode: {"from_address": "warning@example.org", "verp_key": weak}},
        }
        for name, route in routes.items():
            text = refusal(channels={name: route})
            assert f"{name}.{mode}" in text
            assert "_key: " in text
            assert "openssl rand -hex 32" in text
            assert weak not in text

    def test_the_sample_of_the_readme_starts_nothing_before_its_secrets_are_one_s_own(self, toml):
        """S1: it has no key at all; those that it leaves out are made for this machine alone."""
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        sample = readme.partition("```toml\n")[2].partition("```")[0]
        toml(sample)
        secrets = load_settings().secrets
        assert (secrets.confirm_key, secrets.partner_key, secrets.callback_keys) == (None, None, {})

    def test_a_key_that_nobody_gave_is_made_once_for_us_alone(self, tmp_path):
        settings = load_settings(state_dir=tmp_path / "state")
        key = keys.confirm_key(settings)
        assert keys.confirm_key(load_settings(state_dir=tmp_path / "state")) == key
        assert len(key) == 64
        path = tmp_path / "state" / "keys" / "confirm_key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [found.name for found in path.parent.iterdir()] == ["confirm_key"]

    def test_a_key_that_others_can_read_is_refused(self, tmp_path):
        keys.kept_key(tmp_path, "confirm_key")
        (tmp_path / "keys" / "confirm_key").chmod(0o644)
        with pytest.raises(ServiceRefused, match="chmod 600"):
            keys.kept_key(tmp_path, "confirm_key")


class TestPage:
    @pytest.mark.parametrize(
        "model",
        [
            Settings,
            ChannelSettings,
            *settings_page._sections().values(),
            *settings_page._NAMED.values(),
        ],
    )
    def test_every_setting_says_what_it_means(self, model):
        assert [name for name in model.model_fields if not settings_page.description(model, name)] == []

    def test_a_webhook_has_its_own_table(self):
        assert "| `publish.webhooks.NAME.secrets` | list | must be set |" in settings_page.page()

    def test_the_page_is_up_to_date(self):
        page = ROOT / "docs" / "settings.md"
        assert page.read_text(encoding="utf-8") == settings_page.page(), "run: make docs"


def test_a_packaged_file_is_found_and_a_missing_one_named():
    assert share("config/default.toml").is_file()
    with pytest.raises(FileNotFoundError, match=r"config/none\.toml is missing"):
        share("config/none.toml")


def test_settings_survive_a_round_trip_through_json():
    settings = load_settings(channels={"sms": SMS})
    assert json.loads(settings.model_dump_json())["channels"]["sms"]["live"]["host"] == "127.0.0.1"
