"""First schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("attempts", "receipts", "audit")


def upgrade() -> None:
    _attempts()
    _audit()
    _contact_groups()
    _counters()
    _deliveries()
    _device_states()
    _parked_receipts()
    _people()
    _receipts()
    _regions()
    _target_lists()
    _targets()
    _contacts()
    _warnings()
    _addresses()
    _alerts()
    _group_members()
    _approvals()
    _releases()
    _batches()
    _outbox()
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")


TABLES = (
    "attempts",
    "audit",
    "contact_groups",
    "counters",
    "deliveries",
    "device_states",
    "parked_receipts",
    "people",
    "receipts",
    "regions",
    "target_lists",
    "targets",
    "contacts",
    "warnings",
    "addresses",
    "alerts",
    "group_members",
    "approvals",
    "releases",
    "batches",
    "outbox",
)


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("try", sa.SmallInteger(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column(
            "ref", sa.Text(), nullable=False, comment="the provider's reference, empty where it gave none"
        ),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'rejected', 'retry', 'throttled', 'unknown')",
            name=op.f("ck_attempts_outcome"),
        ),
        comment="Ledger: one try to hand a delivery to a provider, a row for each part",
    )
    op.create_index("ix_attempts_delivery_id", "attempts", ["delivery_id"], unique=False)
    op.create_index(
        "ix_attempts_ref", "attempts", ["ref", "channel"], unique=False, postgresql_where=sa.text("ref <> ''")
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False, comment="canonical JSON"),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        comment="Hash-chained log of every step",
    )
    op.create_index("ix_audit_subject", "audit", ["subject"], unique=False)


def _contact_groups() -> None:
    op.create_table(
        "contact_groups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_contact_groups_name")),
        comment="Named groups of contacts",
    )


def _counters() -> None:
    op.create_table(
        "counters",
        sa.Column("release_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.SmallInteger(),
            nullable=False,
            comment="planned stands for all that is not settled yet",
        ),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "channel", "region", "state", name=op.f("pk_counters")),
        comment="Deliveries by release, channel, region and state; kept with the projection",
        postgresql_with={"fillfactor": 50},
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("release_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "text_key", sa.Text(), nullable=False, comment="which of the release's texts this person gets"
        ),
        sa.Column(
            "state",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="channels.base.Proof",
        ),
        sa.Column(
            "copies",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="that may have arrived",
        ),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parts", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("copies <= 2", name=op.f("ck_deliveries_two_copies")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "release_id", "target_id", "channel", name=op.f("uq_deliveries_release_id_target_id_channel")
        ),
        comment="(release, recipient, channel): one message to hand to a provider",
        postgresql_with={"fillfactor": 45},
    )
    op.create_index("ix_deliveries_batch_id", "deliveries", ["batch_id"], unique=False)


def _device_states() -> None:
    op.create_table(
        "device_states",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", "device", name=op.f("pk_device_states")),
        comment="Whether a terminal is on line, by its own word or its broker's last will",
    )


def _parked_receipts() -> None:
    op.create_table(
        "parked_receipts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), server_default=sa.text("'live'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked_receipts")),
        comment="Receipts that came before their attempt was recorded; matched by the reconciler",
    )
    op.create_index("ix_parked_receipts_ref", "parked_receipts", ["ref"], unique=False)


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "roles",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="author, approver, releaser, auditor, administrator",
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_people")),
        comment="Who works at the desk",
    )
    op.create_index("uq_people_login_lower", "people", [sa.literal_column("lower(login)")], unique=True)


def _receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column(
            "delivery_id",
            sa.BigInteger(),
            nullable=True,
            comment="null where no attempt of ours bears the reference",
        ),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.CheckConstraint("source IN ('provider', 'device', 'person')", name=op.f("ck_receipts_source")),
        comment="Ledger: what a provider, a device or a person told afterwards",
    )
    op.create_index("ix_receipts_delivery_id", "receipts", ["delivery_id"], unique=False)


def _regions() -> None:
    op.create_table(
        "regions",
        sa.Column(
            "code",
            sa.Text(),
            nullable=False,
            comment="GB/T 2260 with township and village, 12 digits, padded with 0",
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True, comment="WGS-84 degrees"),
        sa.Column("lat", sa.Double(), nullable=True, comment="WGS-84 degrees"),
        sa.Column(
            "geometry",
            sa.LargeBinary(),
            nullable=True,
            comment="WKB polygon or multipolygon, WGS-84, lon lat",
        ),
        sa.CheckConstraint(
            "level IN ('province', 'city', 'county', 'township', 'village')", name=op.f("ck_regions_level")
        ),
        sa.ForeignKeyConstraint(["parent"], ["regions.code"], name=op.f("fk_regions_parent")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_regions")),
        comment="Administrative divisions",
    )
    op.create_index("ix_regions_parent", "regions", ["parent"], unique=False)


def _target_lists() -> None:
    op.create_table(
        "target_lists",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 over the targets in order"),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("area", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_target_lists_not_empty")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target_lists")),
        comment="A frozen audience; an empty one cannot exist",
    )


def _targets() -> None:
    op.create_table(
        "targets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "list_id",
            sa.BigInteger(),
            nullable=False,
            comment="no foreign key: it doubled the time of a freeze",
        ),
        sa.Column(
            "contact_id",
            sa.BigInteger(),
            nullable=False,
            comment="no foreign key: the list outlives the contact",
        ),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("addresses", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_targets")),
        sa.UniqueConstraint("list_id", "contact_id", name=op.f("uq_targets_list_id_contact_id")),
        comment="A person, post or device that a release must reach; addresses as {channel: address}",
    )


def _contacts() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "external_id",
            sa.Text(),
            nullable=True,
            comment="the register's own number; a second import updates the row",
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default=sa.text("'zh-CN'"), nullable=False),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint(
            "role IN ('responsible', 'informant', 'liaison', 'resident', 'group', 'device')",
            name=op.f("ck_contacts_role"),
        ),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_contacts_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("external_id", name=op.f("uq_contacts_external_id")),
        comment="Persons, posts, chat groups and devices that can be reached",
    )
    op.create_index("ix_contacts_region", "contacts", ["region"], unique=False)


def _warnings() -> None:
    op.create_table(
        "warnings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("hazard", sa.Text(), nullable=False, comment="key in hazards.toml"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["created_by"], ["people.login"], name=op.f("fk_warnings_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warnings")),
        comment="One event's warning through its life: a chain of alerts",
    )


def _addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="in the form the channel's adapter returns"),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_addresses_contact_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        sa.UniqueConstraint(
            "contact_id", "channel", "address", name=op.f("uq_addresses_contact_id_channel_address")
        ),
        comment="How a contact is reached; the lowest id of a channel is used first",
    )
    op.create_index("ix_addresses_channel_address", "addresses", ["channel", "address"], unique=False)


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("warning_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("msg_type", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("hazard", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="rises with every change",
        ),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("supersedes", sa.BigInteger(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("xml", sa.LargeBinary(), nullable=True, comment="the message as it was released, CAP 1.2"),
        sa.Column(
            "original",
            sa.LargeBinary(),
            nullable=True,
            comment="the bytes of the message it was drafted from, untouched",
        ),
        sa.Column("original_key", sa.Text(), nullable=True, comment="sender,identifier,sent of that message"),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of everything frozen at submission; what an approval signs",
        ),
        sa.Column("target_list_id", sa.BigInteger(), nullable=True),
        sa.Column("texts", postgresql.JSONB(), nullable=True),
        sa.Column("plan", postgresql.JSONB(), nullable=True),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("level IN ('red', 'orange', 'yellow', 'blue')", name=op.f("ck_alerts_level")),
        sa.CheckConstraint("mode IN ('live', 'drill')", name=op.f("ck_alerts_mode")),
        sa.CheckConstraint(
            "msg_type IN ('Alert', 'Update', 'Cancel', 'Ack', 'Error')", name=op.f("ck_alerts_msg_type")
        ),
        sa.CheckConstraint("scope IN ('Public', 'Restricted', 'Private')", name=op.f("ck_alerts_scope")),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'approved', 'released', 'updated', 'cancelled', 'expired', 'withdrawn')",
            name=op.f("ck_alerts_state"),
        ),
        sa.CheckConstraint(
            "status IN ('Actual', 'Exercise', 'System', 'Test', 'Draft')", name=op.f("ck_alerts_status")
        ),
        sa.ForeignKeyConstraint(["author"], ["people.login"], name=op.f("fk_alerts_author")),
        sa.ForeignKeyConstraint(["supersedes"], ["alerts.id"], name=op.f("fk_alerts_supersedes")),
        sa.ForeignKeyConstraint(
            ["target_list_id"], ["target_lists.id"], name=op.f("fk_alerts_target_list_id")
        ),
        sa.ForeignKeyConstraint(["warning_id"], ["warnings.id"], name=op.f("fk_alerts_warning_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("sender", "identifier", name=op.f("uq_alerts_sender_identifier")),
        comment="One immutable CAP message of a warning, from draft to its end",
    )
    op.create_index("ix_alerts_state", "alerts", ["state"], unique=False)
    op.create_index("ix_alerts_warning_id", "alerts", ["warning_id"], unique=False)
    op.create_index(
        "uq_alerts_original_key_mode",
        "alerts",
        ["original_key", "mode"],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'submitted', 'approved', 'released')"),
    )
    op.create_index(
        "uq_alerts_prepared_cancel",
        "alerts",
        ["supersedes"],
        unique=True,
        postgresql_where=sa.text("msg_type = 'Cancel' AND state <> 'withdrawn'"),
    )


def _group_members() -> None:
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_group_members_contact_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["contact_groups.id"], name=op.f("fk_group_members_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "contact_id", name=op.f("pk_group_members")),
        comment="Which contact is in which group",
    )
    op.create_index("ix_group_members_contact_id", "group_members", ["contact_id"], unique=False)


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("decision IN ('approve', 'reject')", name=op.f("ck_approvals_decision")),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_approvals_alert_id")),
        sa.ForeignKeyConstraint(["person"], ["people.login"], name=op.f("fk_approvals_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint(
            "alert_id",
            "digest",
            "person",
            "decision",
            name=op.f("uq_approvals_alert_id_digest_person_decision"),
        ),
        comment="Who signed which digest",
    )


def _releases() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False, comment="public, stable, unguessable"),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("warning_id", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("target_list_id", sa.BigInteger(), nullable=False),
        sa.Column("texts", postgresql.JSONB(), nullable=False),
        sa.Column("resend_unknown", sa.Boolean(), nullable=False, comment="a lost answer is sent once more"),
        sa.Column(
            "first",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="before all that waits, as a Cancel is",
        ),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("released_by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(mode = 'drill') = (lane = 'drill')", name=op.f("ck_releases_drill_lane")),
        sa.CheckConstraint("lane IN ('urgent', 'normal', 'drill')", name=op.f("ck_releases_lane")),
        sa.CheckConstraint("mode IN ('live', 'drill')", name=op.f("ck_releases_mode")),
        sa.CheckConstraint("state IN ('open', 'stopped', 'closed')", name=op.f("ck_releases_state")),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_releases_alert_id")),
        sa.ForeignKeyConstraint(["released_by"], ["people.login"], name=op.f("fk_releases_released_by")),
        sa.ForeignKeyConstraint(
            ["target_list_id"], ["target_lists.id"], name=op.f("fk_releases_target_list_id")
        ),
        sa.ForeignKeyConstraint(["warning_id"], ["warnings.id"], name=op.f("fk_releases_warning_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("alert_id", name=op.f("uq_releases_alert_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_releases_reference")),
        comment="The moment an approved alert left the desk, with everything frozen",
    )
    op.create_index(
        "ix_releases_open", "releases", ["id"], unique=False, postgresql_where=sa.text("state <> 'closed'")
    )


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("release_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column(
            "token", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="fencing token"
        ),
        sa.Column("owner", sa.Text(), nullable=True, comment="the worker that holds the lease"),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("crashes", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("state IN ('open', 'leased', 'done')", name=op.f("ck_batches_state")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_batches_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint(
            "release_id", "channel", "ordinal", name=op.f("uq_batches_release_id_channel_ordinal")
        ),
        comment="A slice of deliveries of one release and one channel: the unit that RQ carries",
        postgresql_with={"fillfactor": 50},
    )
    op.create_index(
        "ix_batches_open", "batches", ["due_at"], unique=False, postgresql_where=sa.text("state <> 'done'")
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_outbox_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        comment="Doorbells to ring: batch ids to enqueue; a row is deleted once RQ has it",
    )
