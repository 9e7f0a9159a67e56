"""The configuration: `beeldwacht.toml`, then `BEELDWACHT_*` variables. Unknown keys and bad values stop the start.

Paths are relative to the folder that holds the file. Nested keys in variables are joined by two underscores:
`BEELDWACHT_WATCH__SETTLE_SECONDS=2`.
"""

from __future__ import annotations

import os
import re
import tomllib
import warnings
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipeline.domain.film import SoundRule
from pipeline.domain.types import At16
from pipeline.errors import ConfigError
from pipeline.recognition.matching import MatchSettings
from pipeline.redaction.regions import REACHES, Reach

FILE_NAME = "beeldwacht.toml"
WEIGHTS = Path(__file__).resolve().parent.parent / "models" / "weights"
_ADDRESS = re.compile(r"^[^\s@,<>\"]+@[^\s@,<>\"]+$")
_CHANNEL = re.compile(r"^[a-z][a-z0-9_-]{0,30}$")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Folders(_Section):
    """Where things are. All but `inbox` and `publish` belong to the service alone."""

    inbox: Path = Path("inbox")
    publish: Path = Path("publish")
    quarantine: Path = Path("quarantine")
    vault: Path = Path("vault")
    work: Path = Path("work")
    log: Path = Path("log")
    data: Path = Path("data")
    weights: Path = WEIGHTS


class Watch(_Section):
    """How the inbox is watched."""

    settle_seconds: float = Field(default=5.0, ge=0, le=3600)
    incomplete_seconds: float = Field(default=120.0, ge=0, le=86400)
    sweep_seconds: float = Field(default=10.0, gt=0, le=3600)
    events: bool = True


class Work(_Section):
    """How files are worked on. One slot is one thread here with one child process that reads media."""

    slots: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=1, le=64)
    threads_per_slot: int = Field(default=1, ge=1, le=64)
    attempts: int = Field(default=3, ge=1, le=10)
    interruptions: int = Field(default=25, ge=1, le=1000)
    lease_seconds: float = Field(default=300.0, ge=10)
    deadline_seconds: float = Field(default=55.0, ge=1)
    child_memory_mib: int = Field(default=4096, ge=1024)
    recycle_after: int = Field(default=20, ge=1)
    max_megapixels: int = Field(default=100, ge=1, le=200)
    max_file_mib: int = Field(default=4096, ge=1)
    keep_free_mib: int = Field(default=64, ge=0)


class Film(_Section):
    """Films and sound recordings: what is taken, and what becomes of speech that may not be heard."""

    sound: SoundRule = SoundRule.ASK
    """`ask`: speech is silent until staff say who speaks; `speech`: where a face may not be heard; `strict`: all is."""
    max_minutes: float = Field(default=60.0, gt=0, le=600)
    max_megapixels: float = Field(default=9.0, gt=0, le=36)
    max_rate: int = Field(default=60, ge=10, le=120)
    """Frames per second in the result; a film with more loses some."""
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=64)
    patience_seconds: float = Field(default=120.0, ge=5)
    """How long nothing may be heard of a film before its reader is stopped."""
    slowest: float = Field(default=60.0, ge=1)
    """Seconds that each step may take for a second of film."""


class Detection(_Section):
    """Which detectors look for faces; what any of them finds is covered unless consent shows it.

    Every `prove_minutes`, and whenever a reader of media starts, all engines look at known photographs first.
    """

    detectors: tuple[str, ...] = ("centerface", "yunet")
    prove_minutes: float = Field(default=60.0, gt=0, le=1440)

    @field_validator("detectors")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one detector")
        return value


class Matching(_Section):
    """Face matching: processing of biometric data (GDPR art. 9), so off until somebody answers for it."""

    enabled: bool = False
    dpia_reference: str = ""
    decided_by: str = ""
    dpo_advice: str = ""
    """What the data protection officer advised (GDPR art. 35(2)): when, and where it is kept."""
    prior_consultation: str = ""
    """Whether the authority was consulted (art. 36), and with which outcome; or why it did not have to be."""
    review_on: date | None = None
    """The day on which the impact assessment is to be looked at again."""
    embedders: tuple[str, ...] = ("sface", "dlib")
    rules: MatchSettings = Field(default_factory=MatchSettings)

    @model_validator(mode="after")
    def _answered_for(self) -> Self:
        if self.enabled and not (self.dpia_reference.strip() and self.decided_by.strip()):
            raise ValueError(
                "matching is processing of biometric data: name the impact assessment in dpia_reference "
                "and who decided in decided_by, or set enabled = false (then every face is covered)"
            )
        if self.enabled and (not self.embedders or set(self.embedders) != set(self.rules.engines)):
            raise ValueError(
                "embedders must name the engines that rules.engines has scales for: " + ", ".join(self.rules.engines)
            )
        return self


class Privacy(_Section):
    """What the information for parents says (GDPR art. 13)."""

    contact: str = ""
    """How parents reach the school about photos, and change their answer."""
    dpo: str = ""
    """How the data protection officer is reached."""


class Templates(_Section):
    """What is kept of the portraits of those who agreed to be matched."""

    max_age_months: int = Field(default=24, ge=1, le=120)
    """Counted from the signature of the form that came with the portrait; a child's face changes."""
    lookalike_score: float = Field(default=5.0, ge=0)


class Keys(_Section):
    """Where the keys are kept, of the templates, of the originals and of the log: never in the data folder."""

    source: Literal["file", "environment", "keyring"] = "file"
    file: Path = Path("keys/templates.key")
    variable: str = Field(default="BEELDWACHT_TEMPLATE_KEY", pattern=r"^[A-Z][A-Z0-9_]*$")
    entry: str = Field(default="templates", min_length=1)
    originals_file: Path = Path("keys/originals.key")
    originals_variable: str = Field(default="BEELDWACHT_ORIGINALS_KEY", pattern=r"^[A-Z][A-Z0-9_]*$")
    originals_entry: str = Field(default="originals", min_length=1)
    log_file: Path = Path("keys/log.key")
    log_variable: str = Field(default="BEELDWACHT_LOG_KEY", pattern=r"^[A-Z][A-Z0-9_]*$")
    log_entry: str = Field(default="log", min_length=1)


class Retention(_Section):
    """How long originals are kept."""

    originals_days: int = Field(default=365, ge=0, le=36_500)
    """After the last decision about them; 0: for ever. Held files wait for a person, and keep theirs."""


class Redaction(_Section):
    """How faces are covered. A cover holds nothing of what it covers, whatever is chosen here."""

    style: str = "blur"
    channels: dict[str, str] = Field(default_factory=dict)
    """The style of each channel that has another one."""
    cover: Literal["face", "head"] = "face"

    @field_validator("style", "channels")
    @classmethod
    def _known(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        from pipeline.redaction.styles import STYLES  # noqa: PLC0415 - loads OpenCV, which most commands do without

        for style in [value] if isinstance(value, str) else value.values():
            if style not in STYLES:
                raise ValueError(f"there is no style {style!r}: name one of {', '.join(STYLES)}")
        return value

    def style_of(self, channel: str) -> str:
        """The style of the covers on a channel."""
        return self.channels.get(channel, self.style)

    def recorded(self, channels: Iterable[str]) -> dict[str, Any]:
        """What the log keeps of it: how far covers reach, and their style on each channel."""
        return {"reach": self.cover, "styles": {c: self.style_of(c) for c in channels}}

    @property
    def reach(self) -> Reach:
        """How far covers reach around a face."""
        return REACHES[self.cover]


class Sheet(_Section):
    """A consent sheet beside a source that knows people only: joined by person id."""

    source: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)


class Register(Sheet):
    """Where the school keeps its consent register, how it is followed, and what the rules leave to the school."""

    source: str = ""
    """Empty: the register is loaded by hand, with `register load`."""
    folder: Path | None = None
    """Where forms/ and portraits/ are; without it, beside the register's file."""
    sheet: Sheet | None = None
    every_seconds: float = Field(default=300.0, ge=1, le=86400)
    settle_seconds: float = Field(default=5.0, ge=0, le=3600)
    max_granted: int = Field(default=25, ge=0)
    max_withdrawn: int = Field(default=25, ge=0)
    max_age_days: float = Field(default=45.0, ge=0)
    """0: however old."""
    at_16: At16 = At16.LAPSE
    recall: Literal["at once", "ask"] = "at once"
    """What happens to published files that the register does not allow any more: "ask" makes it a task for a person."""
    task_days: int = Field(default=7, ge=0, le=365)
    """In how many days a file that was taken back is to be gone from where staff noted that it went."""


class Oidc(_Section):
    """Signing in with the school's own accounts (OpenID Connect). Without `issuer` there is none."""

    issuer: str = ""
    client_id: str = ""
    secret_variable: str = Field(default="BEELDWACHT_OIDC_SECRET", pattern=r"^[A-Z][A-Z0-9_]*$")
    scope: str = "openid profile"
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    groups: dict[str, tuple[Literal["uploader", "communicator", "officer", "administrator"], ...]] = Field(
        default_factory=dict
    )
    """Group of the school's directory -> the roles that its members have."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.issuer and not (self.client_id and self.groups):
            raise ValueError("with an issuer, client_id and at least one group are needed")
        local = self.issuer.startswith(("http://127.0.0.1:", "http://localhost:"))
        if self.issuer and not (self.issuer.startswith("https://") or local):
            raise ValueError("the issuer must be an https address")
        return self


class Console(_Section):
    """The console in the browser. It shows originals to officers, so it listens on this machine only by default."""

    enabled: bool = False
    """Whether `beeldwacht run` serves it; `beeldwacht serve` does in any case."""
    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=0, le=65535)
    address: str = ""
    """As people type it, such as https://beeldwacht.school.example; empty: what host and port say."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    """A proxy on this machine ends TLS and passes on who asks (X-Forwarded-For)."""
    idle_minutes: float = Field(default=20.0, ge=1, le=480)
    session_hours: float = Field(default=10.0, ge=0.1, le=24)
    second_factor: tuple[Literal["uploader", "communicator", "officer", "administrator"], ...] = ()
    """Roles that may do nothing in the console until they have a second factor (TOTP)."""
    upload_quota_mib: int = Field(default=16384, ge=1)
    """Of what one account has begun to upload and not finished, in all."""
    database_mib: int = Field(default=256, ge=0)
    """Kept free for the database on its disk: uploads stop before it does."""
    oidc: Oidc = Field(default_factory=Oidc)

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("name both tls_certificate and tls_key, or neither")
        if self.host not in {"127.0.0.1", "::1", "localhost"} and not self.secure:
            raise ValueError(
                "passwords and originals do not travel in the clear: name tls_certificate and tls_key, "
                "or an address that begins with https:// and a proxy that serves it"
            )
        return self

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by https."""
        return self.tls_certificate is not None or self.address.startswith("https://")


class Alarms(_Section):
    """Who is told when something needs a person, and from when on. Without a webhook and mail_to nobody is."""

    webhook: str = ""
    webhook_token_file: Path | None = None
    """Holds what is sent along as a bearer token."""
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_user: str = ""
    smtp_password_file: Path | None = None
    every_seconds: float = Field(default=60.0, ge=1, le=3600)
    repeat_hours: float = Field(default=24.0, gt=0)
    held_hours: float = Field(default=24.0, ge=0)
    queue_hours: float = Field(default=4.0, gt=0)
    silent_minutes: float = Field(default=10.0, gt=0)
    register_hours: float = Field(default=24.0, gt=0)
    register_days: float = Field(default=45.0, gt=0)
    """Of a register that is loaded by hand."""
    disk_mib: int = Field(default=2048, ge=0)
    verify_hours: float = Field(default=24.0, gt=0)

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Self:
        near = self.webhook.startswith(("http://127.0.0.1:", "http://localhost:"))
        if self.webhook and not (self.webhook.startswith("https://") or near):
            raise ValueError("the webhook must be an https address")
        if bad := [a for a in (*self.mail_to, *filter(None, [self.mail_from])) if not _ADDRESS.match(a)]:
            raise ValueError(f"not an address of a mailbox: {', '.join(bad)}")
        local = self.smtp_host in {"127.0.0.1", "::1", "localhost"}
        if self.smtp_user and self.smtp_security == "none" and not local:
            raise ValueError("a password does not travel in the clear: smtp_security is starttls or tls")
        if bool(self.smtp_user) != bool(self.smtp_password_file):
            raise ValueError("name both smtp_user and smtp_password_file, or neither")
        return self


class Metrics(_Section):
    """Who may read /metrics of the console. Without a token: this machine only, and nobody when there is a proxy."""

    token_file: Path | None = None


class Log(_Section):
    """The log's files, of which none is ever deleted, and how its newest entries are signed."""

    max_mib: int = Field(default=64, ge=1)
    """A file that is this large is followed by another of the same day."""
    compress_days: int = Field(default=31, ge=1)
    sign_entries: int = Field(default=100, ge=1, le=10_000)
    sign_minutes: float = Field(default=5.0, ge=0, le=1440)
    anchor: Path | None = None
    """A folder on another share, or mounted from another machine. None: the signed heads are kept here only."""


class Database(_Section):
    """Where decisions live. Empty: `beeldwacht.db` in the data folder."""

    url: str = ""


# The metaclass has a method of this name; nobody calls it on the settings.
warnings.filterwarnings("ignore", message='Field name "register" in "Settings" shadows', category=UserWarning)


class Settings(BaseSettings):
    """All settings, checked. `root` is the folder that holds the file."""

    model_config = SettingsConfigDict(env_prefix="BEELDWACHT_", env_nested_delimiter="__", extra="forbid", frozen=True)

    root: Path = Path()
    school: str = "Our school"
    channels: tuple[str, ...] = ("school", "personal")
    language: Literal["en", "nl"] = "en"
    folders: Folders = Field(default_factory=Folders)
    watch: Watch = Watch()
    work: Work = Work()
    film: Film = Field(default_factory=Film)
    detection: Detection = Field(default_factory=Detection)
    matching: Matching = Field(default_factory=Matching)
    privacy: Privacy = Privacy()
    templates: Templates = Templates()
    keys: Keys = Keys()
    retention: Retention = Retention()
    redaction: Redaction = Field(default_factory=Redaction)
    register: Register = Field(default_factory=Register)
    database: Database = Field(default_factory=Database)
    console: Console = Field(default_factory=Console)
    alarms: Alarms = Field(default_factory=Alarms)
    metrics: Metrics = Metrics()
    log: Log = Log()

    @field_validator("channels")
    @classmethod
    def _plain_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        bad = [c for c in value if not _CHANNEL.match(c)]
        if not value or bad or len(set(value)) != len(value):
            raise ValueError("name each channel once, in small letters, digits, - and _")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file (which arrives as init values)."""
        return (env_settings, init_settings)

    @model_validator(mode="after")
    def _styles_of_channels(self) -> Self:
        if unknown := set(self.redaction.channels) - set(self.channels):
            raise ValueError(f"redaction.channels names channels that there are not: {', '.join(sorted(unknown))}")
        return self

    def path(self, name: str) -> Path:
        """The absolute path of one of the folders."""
        value: Path = getattr(self.folders, name)
        return value if value.is_absolute() else self.root / value

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.database.url or f"sqlite:///{self.path('data') / 'beeldwacht.db'}"


def load(file: Path | None = None, overrides: dict[str, Any] | None = None) -> Settings:
    """Read the configuration; all problems are reported together.

    Raises ConfigError when the file is missing, is not TOML, or holds an unknown key or a bad value.
    """
    path = (file or Path(FILE_NAME)).absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no configuration here.",
            "Run `beeldwacht init .` to write one, or name another with --config FILE.",
        ) from None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read ({e}).") from e
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path}: not valid TOML: {e}.", "Mend the line it names.") from e
    try:
        return Settings(**{**values, **(overrides or {}), "root": path.parent})
    except ValidationError as e:
        lines = [f"  {'.'.join(str(x) for x in p['loc']) or 'file'}: {_plain(p['msg'])}" for p in e.errors()]
        raise ConfigError(f"{path}: {len(lines)} problem(s):\n" + "\n".join(lines)) from e


def _plain(message: str) -> str:
    if message == "Extra inputs are not permitted":
        return "unknown key (see beeldwacht.example.toml)"
    return message.removeprefix("Value error, ")
