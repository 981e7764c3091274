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
    Column("totp_key", Text, comment="sealed; null: has no second factor yet"),
    Column("totp_step", BigInteger, nullable=False, server_default=text("0"), comment="last one accepted"),
    Column("next_totp_key", Text, comment="sealed; shown, and not confirmed by a code yet"),
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
    json("begun", comment="what was given so far: login, name, password as argon2id, totp_key sealed"),
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
    Column("browser_sha256", Text, comment="of the browser that a sign-in succeeded from"),
    Column(
        "limited", Boolean, nullable=False, server_default=text("false"), comment="must set a second factor"
    ),
    comment="Who is signed in; proved_at is when the second factor was last given",
)
Index("ix_sessions_login", sessions.c.login)
Index("ix_sessions_browser_sha256", sessions.c.browser_sha256)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("key", Text, primary_key=True, comment="SHA-256 of who or what is slowed down"),
    Column("failures", Integer, nullable=False),
    at("last_at", nullable=False),
    comment="Failed sign-ins, which slow the next try down",
)

posts_done = Table(
    "posts_done",
    metadata,
    Column("once", Text, primary_key=True, comment="the form's own number"),
    Column("login", Text, primary_key=True, comment="who sent it: another person's number is another one"),
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

submissions = Table(
    "submissions",
    metadata,
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("level", Text, nullable=False),
    json("content", nullable=False),
    json("texts", nullable=False),
    json("plan", nullable=False),
    Column("target_list_id", BigInteger, ForeignKey("target_lists.id"), nullable=False),
    Column("author", Text, ForeignKey("people.login"), nullable=False),
    at("at", nullable=False),
    comment="What approvers were asked to sign, as it was each time",
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
    Column("key", Text, primary_key=True, comment="the form's own number, or 'alert N LOGIN'"),
    Column("login", Text, ForeignKey("people.login"), nullable=False),
    Column("mode", Text, nullable=False),
    json("form", nullable=False),
    at("saved_at", nullable=False),
    one_of("mode", "live", "drill"),
    comment="What stands in a draft form that was not saved yet",
)

imports = Table(
    "imports",
    metadata,
    number(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False, comment="of the file, as it was sent"),
    Column("sha256", Text, nullable=False),
    Column("data", LargeBinary, comment="the file; null once it was brought in or an hour has passed"),
    Column("made_by", Text, ForeignKey("people.login"), nullable=False),
    at("made_at", nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", Integer, nullable=False, server_default=text("0"), comment="read so far"),
    at("seen_at", nullable=False),
    json("report", comment="counts, and the rows that were refused with their reasons; no addresses"),
    at("ended_at"),
    one_of("kind", "contacts", "regions"),
    one_of("state", "checking", "ready", "refused", "running", "done", "failed"),
    comment="Files of contacts and regions that were sent to the console: rehearsed first, then brought in",
)
Index("ix_imports_made_at", imports.c.made_at)

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
_RUNNING = drills.c.ended_at.is_(None)
Index("uq_drills_running", _RUNNING, unique=True, postgresql_where=_RUNNING)

own_addresses = Table(
    "own_addresses",
    metadata,
    Column("login", Text, ForeignKey("people.login"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("address", Text, nullable=False, comment="in the form the channel's adapter returns"),
    at("made_at", nullable=False),
    comment="Where people of the desk send test messages to themselves",
)

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
