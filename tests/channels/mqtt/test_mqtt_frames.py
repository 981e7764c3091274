"""Frames, ids, counters and the terminal's judgement, without any connection. All keys invented."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.base import AddressRefused, ContentRefused, DeviceState, Proof, Receipt
from channels.mqtt.adapter import MqttChannel
from channels.mqtt.command import Command
from channels.mqtt.counter import Beacon, Counter
from channels.mqtt.frames import FRAME_LIMIT, FrameRefused, delivery_of, device_key, make_ref, seal, unseal
from channels.mqtt.listener import read_report
from channels.mqtt.settings import MqttSettings
from channels.mqtt.terminal import MEMORY, NotGenuine, Terminal, key_of
from channels.mqtt.terminal import read as read_frame
from channels.mqtt.terminal import sign as sign_frame
from tests.channels.contract import Inbox, content

FLEET = b"invented-fleet-key-0123456789abcdef"
HERE, THERE = "330726101001/horn-01", "330726101001/horn-02"
KEY = device_key(FLEET, HERE)
NOW = datetime(2026, 7, 22, 8, 0, tzinfo=UTC)
LATER = NOW.timestamp() + 600
SETTINGS = MqttSettings(host="127.0.0.1", tls=False, fleet_key=FLEET.decode())

members = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    min_size=1,
)


def frame(delivery=1, counter=1000, address=HERE, expires=LATER, key=KEY, **changes):
    """Return a genuine command frame, with changes."""
    body = {
        "id": make_ref(FLEET, address, "r-1", delivery),
        "counter": counter,
        "text": "暴雨橙色预警",
        "level": "orange",
        "repeat": 3,
        "volume": 90,
        "expires": expires,
    }
    return seal(key, "cmd", address, orjson.dumps(body | changes))


class TestSeal:
    @given(members)
    def test_what_is_sealed_comes_out_again(self, body):
        assert unseal(KEY, "ack", HERE, seal(KEY, "ack", HERE, orjson.dumps(body))) == body

    def test_a_stranger_can_check_it_from_the_page_of_facts_alone(self):
        sealed = frame()
        message = json.loads(sealed)
        body = sealed[:-74] + b"}"
        signed = b"cmd\n" + HERE.encode() + b"\n" + body
        assert message["sig"] == hmac.new(KEY, signed, hashlib.sha256).hexdigest()
        assert list(message)[-1] == "sig"
        assert hmac.new(FLEET, b"ews device key\n" + HERE.encode(), hashlib.sha256).digest() == KEY

    def test_no_bit_can_be_turned(self):
        sealed = frame()
        for position in range(len(sealed)):
            for bit in range(8):
                turned = bytearray(sealed)
                turned[position] ^= 1 << bit
                with pytest.raises(FrameRefused):
                    unseal(KEY, "cmd", HERE, bytes(turned))

    @pytest.mark.parametrize("cut", [1, 2, 10, 66, 73, 74, 75, 100])
    def test_no_byte_can_be_cut_off(self, cut):
        for piece in (frame()[:-cut], frame()[cut:]):
            with pytest.raises(FrameRefused):
                unseal(KEY, "cmd", HERE, piece)

    def test_a_frame_serves_one_terminal_and_one_purpose(self):
        for key, purpose, address in (
            (KEY, "ack", HERE),
            (KEY, "cmd", THERE),
            (device_key(FLEET, THERE), "cmd", HERE),
        ):
            with pytest.raises(FrameRefused, match="forged"):
                unseal(key, purpose, address, frame())

    def test_an_unsigned_frame_a_long_one_and_a_signed_list_are_refused(self):
        for bad, code in (
            (b'{"id":"1"}', "unsigned"),
            (b"", "unsigned"),
            (b"x" * (FRAME_LIMIT + 1), "too-long"),
            (seal(KEY, "cmd", HERE, b"[1}"), "garbage"),
            (seal(KEY, "cmd", HERE, b'{"a":NaN}'), "garbage"),
        ):
            with pytest.raises(FrameRefused) as refused:
                unseal(KEY, "cmd", HERE, bad)
            assert str(refused.value) == code

    @given(st.binary(max_size=400))
    def test_no_bytes_break_it(self, noise):
        with pytest.raises(FrameRefused):
            unseal(KEY, "cmd", HERE, noise)


class TestRef:
    def test_an_id_is_the_same_for_a_second_copy_and_differs_in_everything_else(self):
        ref = make_ref(FLEET, HERE, "r-1", 7)
        assert ref == make_ref(FLEET, HERE, "r-1", 7)
        others = {
            make_ref(FLEET, THERE, "r-1", 7),
            make_ref(FLEET, HERE, "r-2", 7),
            make_ref(FLEET, HERE, "r-1", 8),
        }
        assert len(others | {ref}) == 4

    def test_it_proves_the_delivery_to_its_own_terminal_only(self):
        ref = make_ref(FLEET, HERE, "r.2026.1", 7)
        assert delivery_of(FLEET, HERE, ref) == 7
        assert delivery_of(FLEET, THERE, ref) is None
        assert delivery_of(b"x" * 32, HERE, ref) is None
        assert delivery_of(FLEET, HERE, ref.replace(".7.", ".8.")) is None

    @given(st.text(max_size=60))
    def test_no_text_breaks_it_or_passes(self, text):
        assert delivery_of(FLEET, HERE, text) is None


class TestCounter:
    def test_it_rises_while_the_clock_stands_still_or_is_set_back(self):
        times = iter([5_000_000, 5_000_000, 5_000_000, 1_000_000, 9_000_000])
        counter = Counter(lambda: next(times))
        assert [counter.next() for _ in range(5)] == [5000, 5001, 5002, 5003, 9000]

    def test_a_restart_goes_on_above_because_time_went_on(self):
        before = Counter()
        last = [before.next() for _ in range(1000)][-1]
        assert Counter(lambda: (last + 1) * 1000).next() > last

    def test_a_lead_bridges_a_clock_that_ran_ahead(self):
        assert Counter(lambda: 0).next(lead=3600.0) == 3_600_000_000

    def test_it_fits_a_json_number_for_two_centuries(self):
        assert Counter(lambda: int(datetime(2250, 1, 1, tzinfo=UTC).timestamp()) * 10**9).next() < 2**53


class TestAgreement:
    """Two hosts whose clocks differ, without a broker between them."""

    FAST, SLOW = 1_000_000, 940_000  # microseconds since 1970

    def test_who_hears_a_counter_ahead_rises_above_it_and_stays_ahead(self):
        times = iter([self.SLOW * 1000, self.SLOW * 1000, (self.SLOW + 500) * 1000])
        slow = Counter(lambda: next(times))
        slow.hear(self.FAST)
        assert slow.next() == self.FAST + 1
        assert slow.next() == self.FAST + 500, "as far ahead as the other, while both clocks go on"

    def test_who_hears_a_counter_behind_goes_on_undisturbed(self):
        fast = Counter(lambda: self.FAST * 1000)
        fast.hear(self.SLOW)
        assert fast.next() == self.FAST

    def test_two_that_hear_each_other_do_not_drive_each_other_up(self):
        fast, slow = Counter(lambda: self.FAST * 1000), Counter(lambda: self.SLOW * 1000)
        for _ in range(100):
            slow.hear(fast.next())
            fast.hear(slow.next())
        assert fast.next() <= self.FAST + 300

    def test_a_lead_is_the_least_to_run_ahead(self):
        counter = Counter(lambda: 0)
        counter.hear(5_000_000)
        assert counter.next(lead=1.0) == 5_000_001
        assert counter.next(lead=9.0) == 9_000_000

    def test_only_a_sender_of_the_fleet_is_heard(self):
        beacon = Beacon(FLEET)
        assert beacon.read(beacon.write(17)) == 17
        for frame in (
            Beacon(b"x" * 32).write(17),
            b'{"counter":17}',
            b"",
            b"\xff" * 5000,
            frame_of_a_terminal(),
        ):
            assert beacon.read(frame) is None

    @pytest.mark.parametrize("counter", [0, -1, 2**52, 2**60])
    def test_a_counter_that_would_use_the_numbers_up_is_not_heard(self, counter):
        assert Beacon(FLEET).read(Beacon(FLEET).write(counter)) is None


def frame_of_a_terminal():
    return seal(KEY, "status", HERE, b'{"counter":17}')


class TestTwoReadings:
    """The terminal's own reading of the page of facts against the gateway's codec."""

    @given(members)
    def test_each_reads_what_the_other_signs(self, body):
        assert read_frame(KEY, "cmd", HERE, seal(KEY, "cmd", HERE, orjson.dumps(body))) == body

    @given(st.dictionaries(st.text(max_size=8), st.booleans() | st.text(max_size=20), min_size=1))
    def test_and_the_other_way_round(self, body):
        assert unseal(KEY, "ack", HERE, sign_frame(KEY, "ack", HERE, body)) == body

    def test_both_derive_the_same_key(self):
        assert key_of(FLEET.decode(), HERE) == KEY

    @given(st.binary(max_size=300))
    def test_both_drop_the_same_noise_for_the_same_reason(self, noise):
        with pytest.raises(FrameRefused) as ours:
            unseal(KEY, "cmd", HERE, noise)
        with pytest.raises(NotGenuine) as theirs:
            read_frame(KEY, "cmd", HERE, noise)
        assert str(ours.value) == str(theirs.value)

    @pytest.mark.parametrize("body", [b"[1}", b'{"a":NaN}', b'{"a":"\xff"}'])
    def test_what_is_signed_and_no_object_is_garbage_to_both(self, body):
        sealed = seal(KEY, "cmd", HERE, body)
        with pytest.raises(FrameRefused, match="garbage"):
            unseal(KEY, "cmd", HERE, sealed)
        with pytest.raises(NotGenuine, match="garbage"):
            read_frame(KEY, "cmd", HERE, sealed)


class TestTerminal:
    """S11 of the fault plan, at the terminal itself."""

    @pytest.fixture
    def terminal(self):
        return Terminal(HERE, KEY)

    def judge(self, terminal, sealed, later=0.0):
        return terminal.receive(sealed, NOW.timestamp() + later).code

    def test_a_genuine_command_is_played_once(self, terminal):
        assert [self.judge(terminal, frame()) for _ in range(3)] == ["play", "again", "again"]

    def test_a_second_copy_with_a_higher_counter_is_not_played_again(self, terminal):
        assert self.judge(terminal, frame(counter=1)) == "play"
        assert self.judge(terminal, frame(counter=2)) == "again"

    @pytest.mark.parametrize("counter", [1, 999, 1000])
    def test_a_counter_that_is_not_above_the_last_is_refused(self, terminal, counter):
        self.judge(terminal, frame(1, counter=1000))
        assert self.judge(terminal, frame(2, counter=counter)) == "counter"
        assert self.judge(terminal, frame(3, counter=1001)) == "play"

    def test_an_expired_command_is_refused_and_does_not_move_the_counter(self, terminal):
        assert self.judge(terminal, frame(1, counter=5000), later=600) == "expired"
        assert (
            self.judge(terminal, frame(2, counter=4000, expires=NOW.timestamp() + 6000), later=600) == "play"
        )

    def test_a_replay_is_refused_even_when_its_id_is_forgotten(self, terminal):
        frames = [frame(n, counter=n) for n in range(1, MEMORY + 10)]
        assert {self.judge(terminal, sealed) for sealed in frames} == {"play"}
        assert {self.judge(terminal, sealed) for sealed in frames} == {"again", "counter"}

    def test_a_frame_of_another_terminal_or_of_a_stranger_is_refused_and_moves_nothing(self, terminal):
        for sealed in (
            frame(counter=9000, address=THERE, key=device_key(FLEET, THERE)),
            frame(counter=9000, key=b"stranger" * 4),
            frame(counter=9000).replace(b"orange", b"yellow"),
        ):
            assert self.judge(terminal, sealed) == "forged"
        assert self.judge(terminal, frame(counter=1)) == "play"
        assert terminal.refused == {"forged": 3}

    @pytest.mark.parametrize(
        "changes",
        [
            {"counter": "9"},
            {"counter": 0},
            {"counter": 2**53},
            {"counter": 1.5},
            {"counter": True},
            {"expires": None},
            {"expires": "never"},
            {"text": ""},
            {"volume": 1000},
            {"repeat": 0},
            {"id": ""},
        ],
        ids=str,
    )
    def test_a_signed_command_that_makes_no_sense_is_refused(self, terminal, changes):
        assert self.judge(terminal, frame(**changes)) == "garbage"
        assert self.judge(terminal, frame()) == "play"

    @given(st.binary(max_size=300))
    def test_noise_is_never_played(self, noise):
        terminal = Terminal(HERE, KEY)
        assert terminal.receive(noise, NOW.timestamp()).code in {"unsigned", "forged"}


class TestReport:
    def read(self, leaf, sealed, address=HERE):
        return read_report(SETTINGS, f"ews/{address}/{leaf}", sealed)

    def ack(self, **changes):
        told = {"id": make_ref(FLEET, HERE, "r-1", 7), "state": "done", "ts": NOW.timestamp()} | changes
        return seal(KEY, "ack", HERE, orjson.dumps(told))

    @pytest.mark.parametrize(
        ("state", "proof"),
        [
            ("queued", Proof.ACCEPTED),
            ("playing", Proof.ACCEPTED),
            ("done", Proof.DELIVERED),
            ("failed", Proof.REJECTED),
        ],
    )
    def test_each_state_proves_what_the_table_says(self, state, proof):
        sealed = self.ack(state=state)
        assert self.read("ack", sealed) == Receipt(
            state=proof,
            ref=make_ref(FLEET, HERE, "r-1", 7),
            delivery=7,
            code=state,
            at=NOW,
            raw=sealed.decode(),
        )

    def test_the_reason_of_a_failure_is_its_code(self):
        assert self.read("ack", self.ack(state="failed", code="amplifier")).code == "amplifier"

    @pytest.mark.parametrize("code", ["am\x00p", "am\x1bp", "am\x9bp"], ids=ascii)
    def test_nothing_that_no_database_can_hold_comes_through(self, code):
        receipt = self.read("ack", self.ack(state="failed", code=code))
        assert receipt.code == "am p"
        assert receipt.raw.isprintable()

    def test_blanks_between_the_members_do_not_break_the_line_of_evidence(self):
        told = {"id": make_ref(FLEET, HERE, "r-1", 7), "state": "done", "ts": NOW.timestamp()}
        sealed = seal(KEY, "ack", HERE, json.dumps(told, indent=1).encode().replace(b"\n}", b"}"))
        assert self.read("ack", sealed).raw.isprintable()

    def test_an_ack_of_anothers_command_signed_by_this_terminal_is_foreign(self):
        for ref in (make_ref(FLEET, THERE, "r-1", 8), make_ref(KEY, HERE, "r-1", 8), "r-1.8", "8", "x" * 200):
            with pytest.raises(FrameRefused, match="foreign"):
                self.read("ack", self.ack(id=ref))

    def test_a_command_sent_back_is_no_ack(self):
        with pytest.raises(FrameRefused, match="forged"):
            self.read("ack", frame())

    @pytest.mark.parametrize(
        "changes",
        [{"state": "played"}, {"state": None}, {"ts": "now"}, {"ts": None}, {"id": 7}, {"code": "x" * 41}],
        ids=str,
    )
    def test_a_signed_ack_that_makes_no_sense_is_refused(self, changes):
        with pytest.raises(ValidationError):
            self.read("ack", self.ack(**changes))

    @pytest.mark.parametrize("ts", [0, -1, 1e300, 2**62, 946684800])
    def test_a_clock_that_was_never_set_tells_no_time(self, ts):
        assert self.read("ack", self.ack(ts=ts)).at is None

    def test_states_and_last_wills_become_device_states(self):
        terminal = Terminal(HERE, KEY)
        online = terminal.status(online=True, now=NOW.timestamp())
        will = terminal.status(online=False, now=NOW.timestamp())
        assert self.read("status", online) == DeviceState(HERE, online=True, at=NOW)
        assert self.read("status", will) == DeviceState(HERE, online=False, at=None)

    def test_a_state_for_another_terminal_is_forged(self):
        sealed = Terminal(HERE, KEY).status(online=False, now=NOW.timestamp())
        with pytest.raises(FrameRefused, match="forged"):
            self.read("status", sealed, THERE)

    @given(st.sampled_from(["ack", "status"]), st.binary(max_size=300))
    def test_no_payload_breaks_it(self, leaf, payload):
        with pytest.raises(FrameRefused):
            self.read(leaf, payload)

    @given(st.sampled_from(["ack", "status"]), members)
    def test_nothing_that_is_signed_breaks_it(self, leaf, told):
        with pytest.raises((FrameRefused, ValidationError)):
            self.read(leaf, seal(KEY, leaf, HERE, orjson.dumps(told)))

    @given(
        st.fixed_dictionaries(
            {
                "id": st.just(make_ref(FLEET, HERE, "r-1", 7)) | st.text(min_size=1, max_size=50),
                "state": st.sampled_from(["queued", "playing", "done", "failed"]),
                "ts": st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False),
            }
        )
    )
    def test_whatever_id_and_time_it_bears_an_ack_is_this_terminals_or_foreign(self, told):
        sealed = seal(KEY, "ack", HERE, orjson.dumps(told))
        if told["id"] == make_ref(FLEET, HERE, "r-1", 7):
            assert self.read("ack", sealed).delivery == 7
        else:
            with pytest.raises(FrameRefused, match="foreign"):
                self.read("ack", sealed)

    @given(st.text(max_size=60))
    def test_no_topic_breaks_it(self, topic):
        with pytest.raises((AddressRefused, FrameRefused)):
            read_report(SETTINGS, topic, self.ack())


class TestCommand:
    def command(self, **changes):
        channel = MqttChannel(SETTINGS, Inbox())
        return channel.prepare(content(**changes))

    def body(self, **changes):
        return json.loads(self.command(**changes).body("ref", 5))

    def test_it_holds_all_that_a_terminal_needs(self):
        expires = datetime(2026, 7, 22, 14, 0, tzinfo=UTC)
        assert self.body(expires=expires, level="red", drill=True) == {
            "id": "ref",
            "counter": 5,
            "text": content().text,
            "lang": "zh-CN",
            "level": "red",
            "repeat": 5,
            "volume": 100,
            "expires": int(expires.timestamp()),
            "drill": True,
        }

    def frame_of(self, command, release):
        return seal(KEY, "cmd", HERE, command.body(make_ref(FLEET, HERE, release, 2**63 - 1), 2**53 - 1))

    def test_the_longest_text_still_fits_a_frame(self):
        command = self.command(text="雨" * 1000, release="r" * 64)
        assert isinstance(command, Command)
        assert len(self.frame_of(command, "r" * 64)) <= FRAME_LIMIT

    @pytest.mark.parametrize("sign", ['"', "\\", "\n"])
    def test_a_text_within_the_limit_whose_frame_is_too_long_is_refused(self, sign):
        with pytest.raises(ContentRefused, match=str(FRAME_LIMIT)):
            self.command(text="雨" + sign * 2900)

    @given(st.text(st.sampled_from('雨a"\\\n'), min_size=1, max_size=2000), st.integers(0, 100))
    def test_whatever_is_prepared_fits_a_frame_and_is_played(self, text, length):
        release = "r" * (1 + length)
        try:
            command = self.command(text=text, release=release, expires=NOW + timedelta(hours=1))
        except ContentRefused:
            return
        frame = self.frame_of(command, release)
        assert Terminal(HERE, KEY).receive(frame, NOW.timestamp()).code == "play"


class TestSettings:
    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"fleet_key": "short"}, "fleet_key"),
            ({"device_keys": {"horn": "x" * 32}}, "device_keys"),
            ({"device_keys": {HERE: "short"}}, "device_keys"),
            ({"prefix": "ews/#"}, "prefix"),
            ({"prefix": "+"}, "prefix"),
            ({"host": "broker.example.org", "password": "invented"}, "tls"),
            ({"port": 0}, "port"),
            ({"volume": {"red": 101}}, "volume"),
            ({"repeat": {"red": 0}}, "repeat"),
            ({"client_id": "a b"}, "client_id"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_refused_by_name(self, changes, named):
        whole = {"host": "127.0.0.1", "tls": False, "fleet_key": "x" * 32}
        with pytest.raises(ValidationError, match=named) as refused:
            MqttSettings(**{**whole, **changes})
        assert not [secret for secret in ("invented", "x" * 32) if secret in str(refused.value)]

    def test_a_terminal_may_have_a_key_of_its_own(self):
        settings = MqttSettings(host="127.0.0.1", fleet_key="x" * 32, device_keys={HERE: "k" * 32})
        assert settings.key_of(HERE) == b"k" * 32
        assert settings.key_of(THERE) == device_key(b"x" * 32, THERE)
