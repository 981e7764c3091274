"""What reports call things, in Chinese and in English, and how they write figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from gateway.coverage.model import ChannelRow, Share

LANGUAGES = ("zh", "en")

_WORDS = {
    "title": ("预警信息通达覆盖率", "Warning coverage"),
    "drill": ("演练", "DRILL"),
    "drill_note": ("本页为演练数据，不计入实际发布统计", "A drill: not part of any figure on real warnings"),
    "live": ("实际发布", "Live"),
    "Alert": ("首发", "Alert"),
    "Update": ("更新", "Update"),
    "Cancel": ("解除", "Cancel"),
    "red": ("红色", "Red"),
    "orange": ("橙色", "Orange"),
    "yellow": ("黄色", "Yellow"),
    "blue": ("蓝色", "Blue"),
    "sending": ("发送中", "being sent"),
    "awaiting": ("已全部提交，等待回执", "all handed over, receipts awaited"),
    "stopped": ("已停止发送", "sending stopped"),
    "ended": ("发送已结束", "sending ended"),
    "release": ("发布", "Release"),
    "reference": ("编号", "Reference"),
    "kind": ("类型", "Kind"),
    "level": ("级别", "Level"),
    "sender": ("发布单位", "Issued by"),
    "released_at": ("发布时间", "Released"),
    "expires": ("有效至", "Expires"),
    "measured_at": ("统计时间", "Measured"),
    "state": ("状态", "State"),
    "people": ("人员与终端", "People and devices"),
    "deliveries": ("发送条数", "Deliveries"),
    "whole": ("全部", "All"),
    "townships": ("各乡镇", "Townships"),
    "township": ("乡镇", "Township"),
    "channels": ("各渠道", "Channels"),
    "channel": ("渠道", "Channel"),
    "roles": ("各类对象", "Roles"),
    "role": ("对象", "Role"),
    "groups": ("各分组", "Groups"),
    "group": ("分组", "Group"),
    "related": ("同一预警的其他发布（不计入本表）", "Other releases of this warning (not counted here)"),
    "unit_people": ("单位：人（终端）", "in people (devices)"),
    "unit_deliveries": ("单位：条", "in deliveries"),
    "intended": ("应发", "Intended"),
    "accepted": ("已提交", "Accepted"),
    "delivered": ("到达", "Delivered"),
    "confirmed": ("确认", "Confirmed"),
    "unknown": ("未知", "Unknown"),
    "failed": ("失败", "Failed"),
    "pending": ("未完成", "Pending"),
    "rate": ("到达率", "Reached"),
    "responsible_rate": ("责任人叫应率", "Responsible persons confirmed"),
    "answered": ("叫应率", "Duty confirmed"),
    "villages_rate": ("行政村覆盖率", "Villages covered"),
    "villages": ("村覆盖", "Villages"),
    "population_rate": ("人口加权覆盖率", "Covered, by population"),
    "in_time": ("{minutes} 分钟叫应率", "Confirmed within {minutes} min"),
    "public_in_time": ("公众 {minutes} 分钟及时率", "Public reached within {minutes} min"),
    "first_receipt": ("首达时间", "First receipt"),
    "t90": ("T90", "T90 of those reached"),
    "rank": ("名次", "Rank"),
    "p50": ("P50", "P50"),
    "p90": ("P90", "P90"),
    "attempts_accepted": ("发送成功率", "Attempts accepted"),
    "approval": ("审批用时", "Time at the desk"),
    "step": ("步骤", "Step"),
    "drafting": ("录入（至送审）", "Drafting, to submission"),
    "review": ("审核（送审至每人签署）", "Review, submission to each signature"),
    "signing": ("签发（签齐至发布）", "Release, from the last signature"),
    "whole_desk": ("全程", "All of it"),
    "count": ("次数", "Count"),
    "median": ("中位", "Median"),
    "longest": ("最长", "Longest"),
    "devices": ("终端在线", "Devices on line"),
    "devices_online": ("设备在线率", "Devices on line"),
    "unit_devices": ("单位：台，统计时刻", "in devices, when measured"),
    "device_count": ("终端数", "Devices"),
    "online": ("在线", "On line"),
    "offline": ("离线", "Off line"),
    "silent": ("从未上报", "Never heard"),
    "reasons": ("主要原因", "Main reasons"),
    "rejected": ("拒收", "rejected"),
    "expired": ("过期", "expired"),
    "suppressed": ("停发", "suppressed"),
    "no_code": ("无代码", "no code"),
    "without_address": ("无可用地址", "Without address"),
    "responsible": ("责任人", "Responsible"),
    "informant": ("信息员", "Informant"),
    "liaison": ("联络员", "Liaison"),
    "resident": ("公众", "Resident"),
    "device": ("终端", "Device"),
    "chat": ("群", "Chat group"),
    "curve": ("到达曲线", "Reached over time"),
    "curve_note": ("发布后时间", "time since release"),
    "nothing_yet": ("尚无回执", "No receipt yet"),
    "notes": ("口径", "Definitions"),
    "section": ("表", "Section"),
    "code": ("代码", "Code"),
    "name": ("名称", "Name"),
    "figure": ("指标", "Figure"),
    "part": ("分子", "Numerator"),
    "of": ("分母", "Denominator"),
    "percent": ("百分比", "Percent"),
    "seconds": ("秒", "Seconds"),
}

_NOTES = (
    (
        "应发为发布时冻结的对象，一人多渠道只计一次；渠道表按条计。",
        "Intended is the target list frozen at release, each person once; channels count deliveries.",
    ),
    (
        "已提交 ≥ 到达 ≥ 确认，逐级累计；应发 = 已提交 + 未知 + 失败 + 未完成。",
        "Accepted, delivered, confirmed are cumulative; intended = accepted + unknown + failed + pending.",
    ),
    (
        "到达须有送达、已读或确认回执；“未知”单列，绝不计为到达；网络机器人 200、SMTP 250 只算已提交。",
        (
            "Delivered needs a delivery report, a reading or a confirmation. "
            "Unknown never counts as delivered; a webhook's 200 and SMTP's 250 are accepted, nothing more."
        ),
    ),
    (
        "失败含拒收、过期、停发和无可用地址。一人的状态取其各渠道中最好的一个。",
        "Failed is rejected, expired, suppressed or without address. A person stands as the best channel.",
    ),
    (
        "行政村覆盖：有一名责任人或信息员确认，或一台终端播发成功；分母为预警区域内的村和有应发对象的村。",
        (
            "A village is covered by one confirmed responsible person or informant, or one device that "
            "played; of the villages of the warned area and those that anybody was intended in."
        ),
    ),
    (
        "首达、T90、P50、P90 自发布起算至我方收到回执；T90 为已到达者的 90 %。百分数舍去尾数，不进位。",
        (
            "Times run from release to our receiving the proof; T90 is 90 % of those reached. "
            "Percentages are cut, not rounded up."
        ),
    ),
    (
        (
            "发送成功率 = 渠道接受的尝试 ÷ 全部尝试：限流、重试、无应答各计一次尝试；"
            "多条分片只计一次；尚无结果的不计。"
        ),
        (
            "Attempts accepted: tries that the channel took, of all tries. Throttled, repeated and "
            "unanswered ones count; the parts of a message are one try; a try still open is not counted."
        ),
    ),
    (
        "审批用时自录入起算，退回重报的时间计入录入；解除信息随发布备好，自送审起算。",
        (
            "Time at the desk runs from the draft; what was sent back counts as drafting. "
            "A Cancel is prepared with its warning, so its time runs from submission."
        ),
    ),
    (
        "设备在线率：统计时刻最后状态为在线的终端 ÷ 应发终端；从未上报的单列，不计为在线。",
        (
            "Devices on line: those whose last word was on line when measured, of those intended. "
            "One that was never heard of stands apart and does not count as on line."
        ),
    ),
)

NOTHING = "–"
"""Stands where there is nothing to divide by, or no time yet."""

_MINUTE = 60
_HOUR = 3600


class Words:
    """The words of one language; ``words["intended"]`` gives 应发."""

    def __init__(self, language: str) -> None:
        """Take ``zh`` or ``en``, or a longer tag (``zh-CN``)."""
        primary = language.partition("-")[0].lower()
        if primary not in LANGUAGES:
            raise ValueError(f"reports are written in {' and '.join(LANGUAGES)}, not in {language}")
        self.language = primary
        self._index = LANGUAGES.index(primary)

    def __getitem__(self, key: str) -> str:
        """Return the word, or the key itself for names that are nobody's word (a channel, a group)."""
        return _WORDS[key][self._index] if key in _WORDS else key

    def role(self, role: str) -> str:
        """Return a contact's role in words; the role ``group`` is a chat group."""
        return self["chat" if role == "group" else role]

    def step(self, step: str) -> str:
        """Return a step of the desk in words."""
        return self["whole_desk" if step == "whole" else step]

    def minutes(self, key: str, seconds: float) -> str:
        """Return a word that holds a time limit."""
        return self[key].format(minutes=f"{seconds / _MINUTE:g}")

    @property
    def other(self) -> Words:
        """The other language, for a line beneath."""
        return Words(LANGUAGES[1 - self._index])

    @property
    def notes(self) -> list[str]:
        """The definitions, a sentence each."""
        return [note[self._index] for note in _NOTES]

    def reasons(self, row: ChannelRow) -> str:
        """Return a channel's reasons as one line."""
        return " · ".join(
            f"{self[one.state]} {one.code or self['no_code']} {one.count:,}" for one in row.reasons[:3]
        )


def percent(rate: float | None) -> str:
    """Return ``99.9%``, cut off: 100.0% is said only of everybody."""
    return NOTHING if rate is None else f"{int(rate * 1000 + 1e-9) / 10:.1f}%"


def share(value: Share) -> str:
    """Return ``87.5% 7/8``."""
    return f"{percent(value.rate)} {value.part:,}/{value.of:,}"


def seconds(value: float | None) -> str:
    """Return ``0``, ``0.8 s``, ``3:05`` or ``1:02:05``."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if value < _MINUTE:
        return f"{max(value, 0):.1f} s"
    whole = int(value)
    minutes = f"{whole // _MINUTE % _MINUTE}:{whole % _MINUTE:02}"
    return minutes if whole < _HOUR else f"{whole // _HOUR}:{minutes:0>5}"


def moment(value: datetime, zone: tzinfo) -> str:
    """Return ``2026-11-22 10:55:00 +08:00``."""
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S} {_offset(value.astimezone(zone))}"


def _offset(value: datetime) -> str:
    return f"{value:%z}"[:3] + ":" + f"{value:%z}"[3:5]
