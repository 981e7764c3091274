"""Every table, in the order in which a warning walks through them.

Times are ``timestamptz``. Enumerations are text with a CHECK, except the proof of a
delivery, which is a number that only rises (:class:`channels.base.Proof`).
``attempts``, ``receipts`` and ``audit`` are append-only: a trigger refuses UPDATE and DELETE.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from gateway.store.columns import at, json, metadata, number, one_of

APPEND_ONLY = ("attempts", "receipts", "audit")


people = Table(
    "people",
    metadata,
    Column("login", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column(
        "roles", ARRAY(Text), nullable=False, comment="author, approver, releaser, auditor, administrator"
    ),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("region", Text, ForeignKey("regions.code"), comment="where the roles hold; null: everywhere"),
    Column("unit", Text, nullable=False, server_default=text("''"), comment="of the authorisations"),
    comment="Who works at the desk",
)
Index("uq_people_login_lower", func.lower(people.c.login), unique=True)

regions = Table(
    "regions",
    metadata,
    Column(
        "code",
        Text,
        primary_key=True,
        comment="GB/T 2260 with township and village, 12 digits, padded with 0",
    ),
    Column("name", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("parent", Text, ForeignKey("regions.code")),
    Column("population", Integer),
    Column("lon", Double, comment="WGS-84 degrees"),
    Column("lat", Double, comment="WGS-84 degrees"),
    Column("geometry", LargeBinary, comment="WKB polygon or multipolygon, WGS-84, lon lat"),
    one_of("level", "province", "city", "county", "township", "village"),
    comment="Administrative divisions",
)
Index("ix_regions_parent", regions.c.parent)

contacts = Table(
    "contacts",
    metadata,
    number(),
    Column(
        "external_id", Text, unique=True, comment="the register's own number; a second import updates the row"
    ),
    Column("name", Text, nullable=False),
    Column("region", Text, ForeignKey("regions.code"), nullable=False),
    Column("role", Text, nullable=False),
    Column("language", Text, nullable=False, server_default=text("'zh-CN'")),
    Column("lon", Double),
    Column("lat", Double),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    one_of("role", "responsible", "informant", "liaison", "resident", "group", "device"),
    comment="Persons, posts, chat groups and devices that can be reached",
)
Index("ix_contacts_region", contacts.c.region, contacts.c.name, contacts.c.id)

contact_groups = Table(
    "contact_groups",
    metadata,
    number(),
    Column("name", Text, nullable=False, unique=True),
    comment="Named groups of contacts",
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", BigInteger, ForeignKey("contact_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("contact_id", BigInteger, ForeignKey("contacts.id", ondelete="CASCADE"), primary_key=True),
    comment="Which contact is in which group",
)
Index("ix_group_members_contact_id", group_members.c.contact_id)

addresses = Table(
    "addresses",
    metadata,
    number(),
    Column("contact_id", BigInteger, ForeignKey("contacts.id", ondelete="CASCADE"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False, comment="in the form the channel's adapter returns"),
    UniqueConstraint("contact_id", "channel", "address"),
    comment="How a contact is reached; the lowest id of a channel is used first",
)
Index("ix_addresses_channel_address", addresses.c.channel, addresses.c.address)

warnings = Table(
    "warnings",
    metadata,
    number(),
    Column("hazard", Text, nullable=False, comment="key in hazards.toml"),
    at("created_at", nullable=False, default=True),
    Column("created_by", Text, ForeignKey("people.login"), nullable=False),
    comment="One event's warning through its life: a chain of alerts",
)

target_lists = Table(
    "target_lists",
    metadata,
    number(),
    Column("digest", Text, nullable=False, comment="SHA-256 over the targets in order"),
    Column("count", Integer, nullable=False),
    json("area", nullable=False),
    at("created_at", nullable=False, default=True),
    CheckConstraint("count > 0", name="not_empty"),
    comment="A frozen audience; an empty one cannot exist",
)

targets = Table(
    "targets",
    metadata,
    number(),
    Column("list_id", BigInteger, nullable=False, comment="no foreign key: it doubled the time of a freeze"),
    Column("contact_id", BigInteger, nullable=False, comment="no foreign key: the list outlives the contact"),
    Column("region", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("language", Text, nullable=False),
    json("addresses", nullable=False),
    UniqueConstraint("list_id", "contact_id"),
    comment="A person, post or device that a release must reach; addresses as {channel: address}",
)

alerts = Table(
    "alerts",
    metadata,
    number(),
    Column("warning_id", BigInteger, ForeignKey("warnings.id"), nullable=False),
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    at("sent", nullable=False),
    Column("status", Text, nullable=False),
    Column("msg_type", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("hazard", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1"), comment="rises with every change"),
    Column("author", Text, ForeignKey("people.login"), nullable=False),
    Column("supersedes", BigInteger, ForeignKey("alerts.id")),
    json("content", nullable=False),
    Column("xml", LargeBinary, comment="the message as it was released, CAP 1.2"),
    Column("original", LargeBinary, comment="the bytes of the message it was drafted from, untouched"),
    Column("original_key", Text, comment="sender,identifier,sent of that message"),
    Column("digest", Text, comment="SHA-256 of everything frozen at submission; what an approval signs"),
    Column("target_list_id", BigInteger, ForeignKey("target_lists.id")),
    json("texts"),
    json("plan"),
    at("expires", nullable=False),
    at("created_at", nullable=False, default=True),
    at("submitted_at"),
    at("approved_at"),
    UniqueConstraint("sender", "identifier"),
    one_of("status", "Actual", "Exercise", "System", "Test", "Draft"),
    one_of("msg_type", "Alert", "Update", "Cancel", "Ack", "Error"),
    one_of("scope", "Public", "Restricted", "Private"),
    one_of("level", "red", "orange", "yellow", "blue"),
    one_of("mode", "live", "drill"),
    one_of(
        "state", "draft", "submitted", "approved", "released", "updated", "cancelled", "expired", "withdrawn"
    ),
    comment="One immutable CAP message of a warning, from draft to its end",
)
Index("ix_alerts_warning_id", alerts.c.warning_id)
Index("ix_alerts_state", alerts.c.state)
Index(
    "uq_alerts_original_key_mode",
    alerts.c.original_key,
    alerts.c.mode,
    unique=True,
    postgresql_where=text("state IN ('draft', 'submitted', 'approved', 'released')"),
)
Index(
    "uq_alerts_prepared_cancel",
    alerts.c.supersedes,
    unique=True,
    postgresql_where=text("msg_type = 'Cancel' AND state <> 'withdrawn'"),
)

approvals = Table(
    "approvals",
    metadata,
    number(),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("person", Text, ForeignKey("people.login"), nullable=False),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    at("at", nullable=False, default=True),
    UniqueConstraint("alert_id", "digest", "person", "decision"),
    one_of("decision", "approve", "reject"),
    comment="Who signed which digest",
)

releases = Table(
    "releases",
    metadata,
    number(),
    Column("reference", Text, nullable=False, unique=True, comment="public, stable, unguessable"),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False, unique=True),
    Column("warning_id", BigInteger, ForeignKey("warnings.id"), nullable=False),
    Column("mode", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("digest", Text, nullable=False),
    Column("target_list_id", BigInteger, ForeignKey("target_lists.id"), nullable=False),
    json("texts", nullable=False),
    Column("resend_unknown", Boolean, nullable=False, comment="a lost answer is sent once more"),
    Column(
        "first",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="before all that waits, as a Cancel is",
    ),
    at("expires", nullable=False),
    at("released_at", nullable=False, default=True),
    Column("released_by", Text, ForeignKey("people.login"), nullable=False),
    at("closed_at"),
    one_of("mode", "live", "drill"),
    one_of("lane", "urgent", "normal", "drill"),
    one_of("state", "open", "stopped", "closed"),
    CheckConstraint("(mode = 'drill') = (lane = 'drill')", name="drill_lane"),
    comment="The moment an approved alert left the desk, with everything frozen",
)
Index("ix_releases_open", releases.c.id, postgresql_where=text("state <> 'closed'"))

batches = Table(
    "batches",
    metadata,
    number(),
    Column("release_id", BigInteger, ForeignKey("releases.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("token", Integer, nullable=False, server_default=text("0"), comment="fencing token"),
    Column("owner", Text, comment="the worker that holds the lease"),
    at("lease_until"),
    at("due_at", nullable=False, default=True),
    Column("crashes", SmallInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("release_id", "channel", "ordinal"),
    one_of("state", "open", "leased", "done"),
    comment="A slice of deliveries of one release and one channel: the unit that RQ carries",
    postgresql_with={"fillfactor": 50},
)
Index("ix_batches_open", batches.c.due_at, postgresql_where=text("state <> 'done'"))

deliveries = Table(
    "deliveries",
    metadata,
    number(),
    Column("release_id", BigInteger, nullable=False),
    Column("target_id", BigInteger, nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("text_key", Text, nullable=False, comment="which of the release's texts this person gets"),
    Column("state", SmallInteger, nullable=False, server_default=text("0"), comment="channels.base.Proof"),
    Column("copies", SmallInteger, nullable=False, server_default=text("0"), comment="that may have arrived"),
    Column("tries", SmallInteger, nullable=False, server_default=text("0")),
    Column("parts", SmallInteger, nullable=False, server_default=text("1")),
    at("delivered_at"),
    at("confirmed_at"),
    UniqueConstraint("release_id", "target_id", "channel"),
    CheckConstraint("copies <= 2", name="two_copies"),
    comment="(release, recipient, channel): one message to hand to a provider",
    postgresql_with={"fillfactor": 45},
)
Index("ix_deliveries_batch_id", deliveries.c.batch_id)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("try", SmallInteger, nullable=False, key="try_"),
    Column("part", SmallInteger, nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("token", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("ref", Text, nullable=False, comment="the provider's reference, empty where it gave none"),
    Column("code", Text, nullable=False),
    at("submitted_at", nullable=False),
    at("answered_at", nullable=False),
    one_of("outcome", "accepted", "rejected", "retry", "throttled", "unknown"),
    comment="Ledger: one try to hand a delivery to a provider, a row for each part",
)
Index("ix_attempts_delivery_id", attempts.c.delivery_id)
Index("ix_attempts_ref", attempts.c.ref, attempts.c.channel, postgresql_where=text("ref <> ''"))
# Rows come in the order of time, so a few bytes for each block tell where the last minute lies.
Index(
    "ix_attempts_answered_at",
    attempts.c.answered_at,
    postgresql_using="brin",
    postgresql_with={"autosummarize": "on"},
)
Index(
    "ix_attempts_troubled",
    attempts.c.channel,
    attempts.c.answered_at,
    postgresql_where=text("outcome <> 'accepted'"),
)


def _told() -> list[Column[Any]]:
    """What a receipt says; a parked one and one in the ledger say the same."""
    return [
        Column("channel", Text, nullable=False),
        Column("ref", Text, nullable=False),
        Column("state", SmallInteger, nullable=False),
        Column("source", Text, nullable=False),
        Column("code", Text, nullable=False),
        at("reported_at"),
        at("received_at", nullable=False),
        Column("raw", Text, nullable=False),
    ]


receipts = Table(
    "receipts",
    metadata,
    Column("delivery_id", BigInteger, comment="null where no attempt of ours bears the reference"),
    *_told(),
    one_of("source", "provider", "device", "person"),
    comment="Ledger: what a provider, a device or a person told afterwards",
)
Index("ix_receipts_delivery_id", receipts.c.delivery_id)

parked_receipts = Table(
    "parked_receipts",
    metadata,
    number(),
    *_told(),
    Column("mode", Text, nullable=False, server_default=text("'live'")),
    comment="Receipts that came before their attempt was recorded; matched by the reconciler",
)
Index("ix_parked_receipts_ref", parked_receipts.c.ref)

counters = Table(
    "counters",
    metadata,
    Column("release_id", BigInteger, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("state", SmallInteger, primary_key=True, comment="planned stands for all that is not settled yet"),
    Column("count", BigInteger, nullable=False),
    comment="Deliveries by release, channel, region and state; kept with the projection",
    postgresql_with={"fillfactor": 50},
)

device_states = Table(
    "device_states",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("device", Text, primary_key=True),
    Column("online", Boolean, nullable=False),
    at("at", nullable=False),
    comment="Whether a terminal is on line, by its own word or its broker's last will",
)

outbox = Table(
    "outbox",
    metadata,
    number(),
    Column("batch_id", BigInteger, ForeignKey("batches.id"), nullable=False),
    Column("queue", Text, nullable=False),
    at("created_at", nullable=False, default=True),
    comment="Doorbells to ring: batch ids to enqueue; a row is deleted once RQ has it",
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    at("at", nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False, comment="canonical JSON"),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    comment="Hash-chained log of every step",
)
Index("ix_audit_subject", audit.c.subject)
