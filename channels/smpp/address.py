"""Phone numbers as SMPP carries them: E.164 digits without a plus."""

from __future__ import annotations

import re

from channels.base import AddressRefused, refuse_controls

_CHINESE_MOBILE = re.compile(r"(?:\+?86)?(1[3-9][0-9]{9})")
_DIGITS = re.compile(r"\+?([0-9]{3,15})")


def check_address(address: str) -> str:
    """Return the number as ``8619900000001``; raises :class:`AddressRefused`."""
    refuse_controls(address)
    chinese = _CHINESE_MOBILE.fullmatch(address)
    return "86" + chinese[1] if chinese else _other_number(address)


def reply_address(source: bytes) -> str:
    """Return the number that wrote to us, in the stored form where it has one."""
    address = source.decode("latin-1")
    try:
        return check_address(address)
    except AddressRefused:
        digits = _DIGITS.fullmatch(address)
        return digits[1] if digits else ""


def _other_number(address: str) -> str:
    # The tables of all countries cost 8 MB and 60 ms; most routes meet Chinese mobiles only.
    import phonenumbers  # noqa: PLC0415

    try:
        number = phonenumbers.parse(address if not address.startswith("86") else "+" + address, "CN")
    except phonenumbers.NumberParseException:
        raise AddressRefused("this is no phone number: write +86 199 0000 0001") from None
    if not phonenumbers.is_possible_number(number) or number.extension:
        raise AddressRefused("no phone number has this length: write +86 199 0000 0001")
    kind = phonenumbers.number_type(number)
    if number.country_code == phonenumbers.country_code_for_region("CN"):
        if kind is not phonenumbers.PhoneNumberType.MOBILE:
            raise AddressRefused("this is no Chinese mobile number, SMS cannot reach it")
    elif kind == phonenumbers.PhoneNumberType.FIXED_LINE:
        raise AddressRefused("this is a fixed line, SMS cannot reach it")
    elif not phonenumbers.is_valid_number(number):
        raise AddressRefused("this number is not in use in its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
