"""The inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="e.g. source nws, incoming 12"),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False, comment="for people, with the way out"),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
        comment="What somebody must look at; open until it is over or somebody has looked",
    )
    op.create_index(
        "uq_alarms_open",
        "alarms",
        ["subject", "code"],
        unique=True,
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "incoming",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="the source or partner that brought it first"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("msg_type", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column(
            "event", sa.Text(), nullable=False, comment="of the first info block; empty where there is none"
        ),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("original", sa.LargeBinary(), nullable=False, comment="the bytes as they came"),
        sa.Column("is_cap", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 of the bytes"),
        sa.Column(
            "meaning", sa.Text(), nullable=False, comment="SHA-256 of what it says, signatures left out"
        ),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("hazard", sa.Text(), nullable=False, comment="key in hazards.toml; empty where not known"),
        sa.Column(
            "regions", sa.ARRAY(sa.Text()), nullable=False, comment="codes of our regions that it reaches"
        ),
        sa.Column(
            "agreeing", sa.ARRAY(sa.Text()), nullable=False, comment="independent sources that say the same"
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "todo", sa.Text(), nullable=True, comment="what is still to be done at the desk; survives a crash"
        ),
        sa.Column(
            "reason",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="why it is in this state",
        ),
        sa.Column("findings", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=True, comment="the alert of ours that it led to"),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "signature IN ('valid-trusted', 'valid-untrusted', 'invalid', 'absent', 'unverifiable')",
            name=op.f("ck_incoming_signature"),
        ),
        sa.CheckConstraint(
            "state IN ('inbox', 'held', 'quarantined', 'stored', 'superseded', 'drafted', 'submitted', 'released', 'taken_back', 'dismissed')",
            name=op.f("ck_incoming_state"),
        ),
        sa.CheckConstraint(
            "todo IN ('draft', 'submit', 'release', 'cancel', 'withdraw')", name=op.f("ck_incoming_todo")
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_incoming_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incoming")),
        sa.UniqueConstraint(
            "sender", "identifier", "sent", "meaning", name=op.f("uq_incoming_sender_identifier_sent_meaning")
        ),
        comment="An alert that came in; the desk sees it once, whoever brought it",
    )
    op.create_index(
        "ix_incoming_alert_id",
        "incoming",
        ["alert_id"],
        unique=False,
        postgresql_where=sa.text("alert_id IS NOT NULL"),
    )
    op.create_index(
        "ix_incoming_event_key",
        "incoming",
        ["sender", "event_key"],
        unique=False,
        postgresql_where=sa.text("event_key <> ''"),
    )
    op.create_index("ix_incoming_received_at", "incoming", ["received_at"], unique=False)
    op.create_index(
        "ix_incoming_todo", "incoming", ["id"], unique=False, postgresql_where=sa.text("todo IS NOT NULL")
    )
    op.create_table(
        "incoming_references",
        sa.Column("incoming_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["incoming_id"], ["incoming.id"], name=op.f("fk_incoming_references_incoming_id")
        ),
        sa.PrimaryKeyConstraint("incoming_id", "sender", "identifier", name=op.f("pk_incoming_references")),
        comment="What an Update or Cancel names; sent is null where only the number was given",
    )
    op.create_index(
        "ix_incoming_references_target", "incoming_references", ["sender", "identifier"], unique=False
    )
    op.create_table(
        "sightings",
        sa.Column("incoming_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "name",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="in the complete list of the source",
        ),
        sa.Column("vanished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["incoming_id"], ["incoming.id"], name=op.f("fk_sightings_incoming_id")),
        sa.PrimaryKeyConstraint("incoming_id", "source", name=op.f("pk_sightings")),
        comment="Which source brought an alert, how often, and whether it still lists it",
    )
    op.create_index("ix_sightings_source", "sightings", ["source"], unique=False)
