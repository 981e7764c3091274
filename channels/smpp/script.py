"""What the played SMSC can be told to do."""

from __future__ import annotations


class Script:
    """What the SMSC does; shares are between 0 and 1 and drawn from ``seed``."""

    def __init__(self) -> None:
        """Begin as an SMSC without faults."""
        self.seed = 1
        self.latency = 0.0
        """Seconds before submit_sm_resp."""
        self.reject: int | None = None
        """Status that every submit_sm gets, as 0x45."""
        self.reject_share = 0.0
        """Share of submit_sm refused with 0x0B."""
        self.reject_addresses: dict[str, int] = {}
        """Status by address."""
        self.throttle_above: float | None = None
        """PDUs a second above which the answer is 0x58; 0 throttles all."""
        self.throttle_burst = 0.25
        """For how many seconds' worth of PDUs at once the SMSC turns a blind eye."""
        self.window_limit: int | None = None
        """Unanswered PDUs on a connection above which the answer is 0x14."""
        self.drop = 0.0
        """Share of messages taken but never answered."""
        self.hang = False
        """Read nothing, answer nothing, not even enquire_link."""
        self.silent_enquire = False
        """Do not answer enquire_link."""
        self.disconnect_after: int | None = None
        """Take so many submit_sm on a connection, then cut it without answering the last."""
        self.unbind_after: int | None = None
        """Send unbind after so many submit_sm on a connection."""
        self.receipts = True
        self.receipt_delay = 0.0
        """Seconds between answer and receipt."""
        self.receipt_early = False
        """The receipt comes before its submit_sm_resp."""
        self.receipt_tlvs = True
        self.receipt_duplicate = 0.0
        self.receipt_missing = 0.0
        self.receipt_foreign = 0.0
        """Share of receipts joined by one with an id that was never given."""
        self.receipt_reorder = False
        """Receipts of one segment come in a random order."""
        self.states = {"DELIVRD": 1.0}
        """Final states and their weights."""
        self.response_ids = "decimal"
        """``decimal``, ``hex``, ``HEX`` or ``padded``: how ids are written in submit_sm_resp."""
        self.receipt_ids = "decimal"
        """The same for receipts."""
        self.reply_share = 0.0
        """Share of messages that the person answers with ``reply_text``."""
        self.reply_text = "1"
        self.reply_delay = 0.0

    def is_plain(self) -> bool:
        """Tell whether nothing is scripted for submit_sm, so that the short way is enough."""
        return not (
            self.latency or self.reject is not None or self.reject_share or self.reject_addresses
            or self.throttle_above is not None or self.window_limit is not None or self.drop
            or self.disconnect_after is not None or self.unbind_after is not None
            or self.receipt_delay or self.receipt_early or self.receipt_duplicate
            or self.receipt_missing or self.receipt_foreign or self.receipt_reorder
            or self.reply_share or not self.receipts or not self.receipt_tlvs
            or len(self.states) != 1 or self.response_ids != "decimal" or self.receipt_ids != "decimal"
        )  # fmt: skip
