"""The console: accounts, sessions, duty, deputies, and what stands beside an alert."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "posts_done",
        sa.Column("once", sa.Text(), nullable=False, comment="the form's own number"),
        sa.Column(
            "login",
            sa.Text(),
            nullable=False,
            comment="who sent it: another person's number is another one",
        ),
        sa.Column(
            "location",
            sa.Text(),
            nullable=True,
            comment="where the first click led; null while it is under way",
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("once", "login", name=op.f("pk_posts_done")),
        comment="Forms that were sent, so that a second click does nothing twice",
    )
    op.create_index(
        "ix_incoming_waiting",
        "incoming",
        ["state"],
        unique=False,
        postgresql_where=sa.text("state IN ('inbox', 'held', 'quarantined')"),
    )
    op.create_index("ix_posts_done_at", "posts_done", ["at"], unique=False)
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.Text(), nullable=False, comment="SHA-256 of who or what is slowed down"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_failures")),
        comment="Failed sign-ins, which slow the next try down",
    )
    op.create_table(
        "switches",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="channel with its lane's mode (sms.live), or source"
        ),
        sa.Column("off", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('route', 'source')", name=op.f("ck_switches_kind")),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_switches")),
        comment="What people turned off: routes that send nothing, sources that are not read",
    )
    op.create_table(
        "authorisations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False, comment="people.unit"),
        sa.Column("hazard", sa.Text(), nullable=False, comment="key in hazards.toml, * for all"),
        sa.Column("level", sa.Text(), nullable=False, comment="the highest that it covers"),
        sa.Column("region", sa.Text(), nullable=True, comment="null: the desk's whole area"),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", sa.Text(), nullable=False, comment="the paper that gives it"),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "level IN ('red', 'orange', 'yellow', 'blue')", name=op.f("ck_authorisations_level")
        ),
        sa.CheckConstraint("begins_at < ends_at", name=op.f("ck_authorisations_ordered")),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("fk_authorisations_region")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorisations")),
        comment="Which unit may have which warnings issued",
    )
    op.create_table(
        "absences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("deputy", sa.Text(), nullable=True, comment="who is asked instead"),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("begins_at < ends_at", name=op.f("ck_absences_ordered")),
        sa.CheckConstraint("deputy <> login", name=op.f("ck_absences_another")),
        sa.ForeignKeyConstraint(["deputy"], ["people.login"], name=op.f("fk_absences_deputy")),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_absences_login")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
        comment="Who is away, and who stands in",
    )
    op.create_table(
        "accounts",
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column(
            "password",
            sa.Text(),
            nullable=True,
            comment="argon2id, in its own text form; null: signs in elsewhere only",
        ),
        sa.Column("totp_key", sa.Text(), nullable=True, comment="sealed; null: has no second factor yet"),
        sa.Column(
            "totp_step",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="last one accepted",
        ),
        sa.Column(
            "next_totp_key",
            sa.Text(),
            nullable=True,
            comment="sealed; shown, and not confirmed by a code yet",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_accounts_login")),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_accounts")),
        comment="How people of the desk sign in",
    )
    op.create_table(
        "drills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["ended_by"], ["people.login"], name=op.f("fk_drills_ended_by")),
        sa.ForeignKeyConstraint(["started_by"], ["people.login"], name=op.f("fk_drills_started_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drills")),
        comment="Drills, started and ended as such; one at a time",
    )
    op.create_index(
        "uq_drills_running",
        "drills",
        [sa.literal_column("(ended_at IS NULL)")],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the file, as it was sent"),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column(
            "data",
            sa.LargeBinary(),
            nullable=True,
            comment="the file; null once it was brought in or an hour has passed",
        ),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="read so far"),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "report",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="counts, and the rows that were refused with their reasons; no addresses",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('contacts', 'regions')", name=op.f("ck_imports_kind")),
        sa.CheckConstraint(
            "state IN ('checking', 'ready', 'refused', 'running', 'done', 'failed')",
            name=op.f("ck_imports_state"),
        ),
        sa.ForeignKeyConstraint(["made_by"], ["people.login"], name=op.f("fk_imports_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        comment="Files of contacts and regions that were sent to the console: rehearsed first, then brought in",
    )
    op.create_index("ix_imports_made_at", "imports", ["made_at"], unique=False)
    op.create_table(
        "duties",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("post", sa.Text(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.CheckConstraint("post IN ('main', 'second', 'leader')", name=op.f("ck_duties_post")),
        sa.CheckConstraint("begins_at < ends_at", name=op.f("ck_duties_ordered")),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_duties_login")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duties")),
        comment="Who is on duty: 主班, 副班, 带班领导",
    )
    op.create_index("ix_duties_ends_at", "duties", ["ends_at"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("code_sha256", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=True, comment="null: whoever becomes the first administrator"),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "begun",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="what was given so far: login, name, password as argon2id, totp_key sealed",
        ),
        sa.CheckConstraint("purpose IN ('first', 'invite', 'reset')", name=op.f("ck_invitations_purpose")),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_invitations_login")),
        sa.PrimaryKeyConstraint("code_sha256", name=op.f("pk_invitations")),
        comment="One-time codes with which a person sets a password and a second factor",
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column(
            "browser_sha256",
            sa.Text(),
            nullable=True,
            comment="of the browser that a sign-in succeeded from",
        ),
        sa.Column(
            "limited",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="must set a second factor",
        ),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_sessions_login")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_sessions_token_sha256")),
        comment="Who is signed in; proved_at is when the second factor was last given",
    )
    op.create_index("ix_sessions_login", "sessions", ["login"], unique=False)
    op.create_index("ix_sessions_browser_sha256", "sessions", ["browser_sha256"], unique=False)
    op.create_table(
        "unsaved_drafts",
        sa.Column("key", sa.Text(), nullable=False, comment="the form's own number, or 'alert N LOGIN'"),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("form", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('live', 'drill')", name=op.f("ck_unsaved_drafts_mode")),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_unsaved_drafts_login")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_unsaved_drafts")),
        comment="What stands in a draft form that was not saved yet",
    )
    op.create_table(
        "attachments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mime", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_attachments_alert_id")),
        sa.ForeignKeyConstraint(["made_by"], ["people.login"], name=op.f("fk_attachments_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
        comment="Files beside an alert, for example the signed approval",
    )
    op.create_index("ix_attachments_alert_id", "attachments", ["alert_id"], unique=False)
    op.create_table(
        "consultations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("participants", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_consultations_alert_id")),
        sa.ForeignKeyConstraint(["made_by"], ["people.login"], name=op.f("fk_consultations_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultations")),
        comment="会商: who was consulted about an alert, and what was said",
    )
    op.create_index("ix_consultations_alert_id", "consultations", ["alert_id"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("texts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("plan", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("target_list_id", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_submissions_alert_id")),
        sa.ForeignKeyConstraint(["author"], ["people.login"], name=op.f("fk_submissions_author")),
        sa.ForeignKeyConstraint(
            ["target_list_id"], ["target_lists.id"], name=op.f("fk_submissions_target_list_id")
        ),
        sa.PrimaryKeyConstraint("alert_id", "digest", name=op.f("pk_submissions")),
        comment="What approvers were asked to sign, as it was each time",
    )
    op.create_table(
        "emergencies",
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cosigned_by", sa.Text(), nullable=True),
        sa.Column("cosigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_emergencies_alert_id")),
        sa.ForeignKeyConstraint(["cosigned_by"], ["people.login"], name=op.f("fk_emergencies_cosigned_by")),
        sa.ForeignKeyConstraint(["person"], ["people.login"], name=op.f("fk_emergencies_person")),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_emergencies")),
        comment="Releases on one signature by the emergency path, and who signed afterwards",
    )
    op.create_table(
        "own_addresses",
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, comment="in the form the channel's adapter returns"),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_own_addresses_login")),
        sa.PrimaryKeyConstraint("login", "channel", name=op.f("pk_own_addresses")),
        comment="Where people of the desk send test messages to themselves",
    )
    op.create_table(
        "summons",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.SmallInteger(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reason IN ('first', 'silent', 'deputy')", name=op.f("ck_summons_reason")),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_summons_alert_id")),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_summons_login")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summons")),
        sa.UniqueConstraint("alert_id", "digest", "login", name=op.f("uq_summons_alert_id_digest_login")),
        comment="Which approvers were asked to sign what, one after the other",
    )
    op.drop_index("ix_contacts_region", table_name="contacts")
    op.create_index("ix_contacts_region", "contacts", ["region", "name", "id"])
    op.create_index(
        "ix_attempts_answered_at",
        "attempts",
        ["answered_at"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
    op.create_index(
        "ix_attempts_troubled",
        "attempts",
        ["channel", "answered_at"],
        postgresql_where=sa.text("outcome <> 'accepted'"),
    )
    op.add_column(
        "people",
        sa.Column("region", sa.Text(), nullable=True, comment="where the roles hold; null: everywhere"),
    )
    op.add_column(
        "people",
        sa.Column(
            "unit", sa.Text(), server_default=sa.text("''"), nullable=False, comment="of the authorisations"
        ),
    )
    op.create_foreign_key(op.f("fk_people_region"), "people", "regions", ["region"], ["code"])
