"""What the console keeps: who may sign in, who is away or on duty, and what stands beside an alert."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.columns import at, json, metadata, number, one_of

accounts = Table(
    "accounts",
    metadata,
    Column("login", Text, ForeignKey("people.login"), primary_key=True),
    Column("password", Text, comment="argon2id, in its own text form; null: signs in elsewhere only"),
    Column("totp_key", Text, comment="base32; null: has no second factor yet"),
    Column("totp_step", BigInteger, nullable=False, server_default=text("0"), comment="last one accepted"),
    at("created_at", nullable=False),
    at("password_at"),
    comment="How people of the desk sign in",
)

invitations = Table(
    "invitations",
    metadata,
    Column("code_sha256", Text, primary_key=True),
    Column(
        "login", Text, ForeignKey("people.login"), comment="null: whoever becomes the first administrator"
    ),
    Column("purpose", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    at("made_at", nullable=False),
    at("expires_at", nullable=False),
    at("used_at"),
    one_of("purpose", "first", "invite", "reset"),
    comment="One-time codes with which a person sets a password and a second factor",
)

sessions = Table(
    "sessions",
    metadata,
    number(),
    Column("token_sha256", Text, nullable=False, unique=True),
    Column("login", Text, ForeignKey("people.login"), nullable=False),
    at("created_at", nullable=False),
    at("seen_at", nullable=False),
    at("proved_at", nullable=False),
    at("ends_at", nullable=False),
    at("ended_at"),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    comment="Who is signed in; proved_at is when the second factor was last given",
)
Index("ix_sessions_login", sessions.c.login)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("key", Text, primary_key=True, comment="an account together with an address, or one of them"),
    Column("failures", Integer, nullable=False),
    at("last_at", nullable=False),
    comment="Failed sign-ins, which slow the next try down",
)

posts_done = Table(
    "posts_done",
    metadata,
    Column("once", Text, primary_key=True, comment="the form's own number"),
    Column("login", Text, nullable=False),
    Column("location", Text, comment="where the first click led; null while it is under way"),
    at("at", nullable=False),
    comment="Forms that were sent, so that a second click does nothing twice",
)
Index("ix_posts_done_at", posts_done.c.at)

authorisations = Table(
    "authorisations",
    metadata,
    number(),
    Column("unit", Text, nullable=False, comment="people.unit"),
    Column("hazard", Text, nullable=False, comment="key in hazards.toml, * for all"),
    Column("level", Text, nullable=False, comment="the highest that it covers"),
    Column("region", Text, ForeignKey("regions.code"), comment="null: the desk's whole area"),
    at("begins_at", nullable=False),
    at("ends_at", nullable=False),
    Column("document", Text, nullable=False, comment="the paper that gives it"),
    Column("made_by", Text, nullable=False),
    at("made_at", nullable=False),
    at("revoked_at"),
    one_of("level", "red", "orange", "yellow", "blue"),
    CheckConstraint("begins_at < ends_at", name="ordered"),
    comment="Which unit may have which warnings issued",
)

absences = Table(
    "absences",
    metadata,
    number(),
    Column("login", Text, ForeignKey("people.login"), nullable=False),
    Column("deputy", Text, ForeignKey("people.login"), comment="who is asked instead"),
    at("begins_at", nullable=False),
    at("ends_at", nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    at("made_at", nullable=False),
    at("ended_at"),
    CheckConstraint("begins_at < ends_at", name="ordered"),
    CheckConstraint("deputy <> login", name="another"),
    comment="Who is away, and who stands in",
)

duties = Table(
    "duties",
    metadata,
    number(),
    Column("login", Text, ForeignKey("people.login"), nullable=False),
    Column("post", Text, nullable=False),
    at("begins_at", nullable=False),
    at("ends_at", nullable=False),
    Column("made_by", Text, nullable=False),
    one_of("post", "main", "second", "leader"),
    CheckConstraint("begins_at < ends_at", name="ordered"),
    comment="Who is on duty: 主班, 副班, 带班领导",
)
Index("ix_duties_ends_at", duties.c.ends_at)

summons = Table(
    "summons",
    metadata,
    number(),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("ordinal", SmallInteger, nullable=False),
    Column("login", Text, ForeignKey("people.login"), nullable=False),
    Column("reason", Text, nullable=False),
    at("at", nullable=False),
    UniqueConstraint("alert_id", "digest", "login"),
    one_of("reason", "first", "silent", "deputy"),
    comment="Which approvers were asked to sign what, one after the other",
)

emergencies = Table(
    "emergencies",
    metadata,
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("person", Text, ForeignKey("people.login"), nullable=False),
    Column("reason", Text, nullable=False),
    at("at", nullable=False),
    at("due_at", nullable=False),
    Column("cosigned_by", Text, ForeignKey("people.login")),
    at("cosigned_at"),
    comment="Releases on one signature by the emergency path, and who signed afterwards",
)

consultations = Table(
    "consultations",
    metadata,
    number(),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False),
    at("held_at", nullable=False),
    Column("participants", Text, nullable=False),
    Column("minutes", Text, nullable=False),
    Column("made_by", Text, ForeignKey("people.login"), nullable=False),
    at("made_at", nullable=False),
    comment="会商: who was consulted about an alert, and what was said",
)
Index("ix_consultations_alert_id", consultations.c.alert_id)

attachments = Table(
    "attachments",
    metadata,
    number(),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("mime", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("made_by", Text, ForeignKey("people.login"), nullable=False),
    at("made_at", nullable=False),
    comment="Files beside an alert, for example the signed approval",
)
Index("ix_attachments_alert_id", attachments.c.alert_id)

unsaved_drafts = Table(
    "unsaved_drafts",
    metadata,
    Column("key", Text, primary_key=True, comment="the form's own number, or 'alert N'"),
    Column("login", Text, ForeignKey("people.login"), nullable=False),
    Column("mode", Text, nullable=False),
    json("form", nullable=False),
    at("saved_at", nullable=False),
    one_of("mode", "live", "drill"),
    comment="What stands in a draft form that was not saved yet",
)

drills = Table(
    "drills",
    metadata,
    number(),
    Column("title", Text, nullable=False),
    Column("started_by", Text, ForeignKey("people.login"), nullable=False),
    at("started_at", nullable=False),
    Column("ended_by", Text, ForeignKey("people.login")),
    at("ended_at"),
    comment="Drills, started and ended as such; one at a time",
)
Index("uq_drills_running", text("(true)"), unique=True, postgresql_where=drills.c.ended_at.is_(None))

switches = Table(
    "switches",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True, comment="channel with its lane's mode (sms.live), or source"),
    Column("off", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    at("at", nullable=False),
    one_of("kind", "route", "source"),
    comment="What people turned off: routes that send nothing, sources that are not read",
)
