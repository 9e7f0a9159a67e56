"""The composition root: builds every part from the configuration, and is the only place with a clock."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from consent_sync.changes.safeguards import Brakes
from consent_sync.evidence import Evidence
from consent_sync.loaded import RegisterError
from consent_sync.loader import Spec, configured
from consent_sync.parsing.table import Translation
from models.downloads.manifest import WEIGHTS, item
from models.engines.registry import WEIGHTS_OF
from pipeline.config import Settings, Sheet
from pipeline.domain import file_names
from pipeline.domain.types import Rules
from pipeline.errors import BeeldwachtError, ChildError, ConfigError, PublishError, StartupError
from pipeline.files.folders import Vault
from pipeline.files.original_keys import OriginalKeys
from pipeline.files.template_keys import TemplateKeys, source_of
from pipeline.intake.intake import Taken
from pipeline.log.chain import Flaw, Verified
from pipeline.log.files import LogFiles
from pipeline.log.rollback import gap
from pipeline.log.signed_heads import Heads, Rhythm
from pipeline.log.signing_key import HeadKey
from pipeline.monitoring.log_verification import LogCheck
from pipeline.monitoring.monitor import Monitor, MonitorLoop
from pipeline.monitoring.notifiers import places
from pipeline.people.gallery import GalleryCache
from pipeline.people.register_load import Report, load_register
from pipeline.people.register_sync import ENROLLED, Outcome, portraits_mark, sync
from pipeline.people.register_timer import RegisterTimer
from pipeline.people.template_enrolment import Enroller
from pipeline.processing.context import Context
from pipeline.publishing.recall_due import due, follow
from pipeline.rules.reasons import explain
from pipeline.rules.verdicts import may_match
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import Service, media_options
from pipeline.store import Store
from pipeline.store.publications import Publication

logger = logging.getLogger(__name__)
RESTORED = "restored"
"""A mark in the database from the restoring of a backup until the register is loaded again."""


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def user() -> str:
    """Who is at the keyboard, for the log."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


def register_spec(settings: Settings) -> Spec:
    """Where the configuration says that the register is. Raises ConfigError when it says nothing."""
    r = settings.register
    if not r.source:
        raise ConfigError(
            "no source of the register is configured.",
            "Name one in [register] source, or use `beeldwacht register load FILE`.",
        )

    def one(part: Sheet) -> Spec:
        said = Translation(part.columns, part.values, part.constants)
        return Spec(part.source, part.options, settings.root, translation=said)

    return replace(one(r), folder=r.folder, sheet=one(r.sheet) if r.sheet else None)


def engine_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Engine id -> SHA-256 over its pinned weights. Raises ConfigError for an engine that does not exist."""
    versions = {}
    for name in names:
        if name not in WEIGHTS_OF:
            raise ConfigError(f"unknown engine {name!r}.", f"Known are {', '.join(sorted(WEIGHTS_OF))}.")
        pinned = "".join(item(w, WEIGHTS).sha256 for w in WEIGHTS_OF[name])
        versions[name] = hashlib.sha256(pinned.encode()).hexdigest()
    return versions


class App:
    """Beeldwacht on one configuration. Opening it brings the database up to date."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError, StartupError or StoreError."""
        self.settings = settings
        data = settings.path("data")
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not settings.database.url:
                (data / "beeldwacht.db").touch(mode=0o600)  # what SQLite lays beside it has the same mode
        except OSError as e:
            raise StartupError(f"{data}: cannot be made ({e.strerror}).", "Give the service the right to.") from e
        self.embedders = engine_versions(settings.matching.embedders if settings.matching.enabled else ())
        engines = engine_versions(settings.detection.detectors) | self.embedders
        self.store = Store(settings.database_url, Rules(settings.register.at_16))
        self.original_keys = OriginalKeys(
            source_of(settings.keys, settings.root, data, "originals"), settings.path("vault")
        )
        self.vault = Vault(
            *(settings.path(n) for n in ("inbox", "publish", "quarantine", "vault", "work")),
            keys=self.original_keys,
            keep_free=settings.work.keep_free_mib << 20,
        )
        anchor = settings.log.anchor
        self.anchor = anchor if anchor is None or anchor.is_absolute() else settings.root / anchor
        self.head_key = HeadKey(source_of(settings.keys, settings.root, data, "log"))
        rhythm = Rhythm(settings.log.sign_entries, timedelta(minutes=settings.log.sign_minutes))
        self.heads = Heads(settings.path("log"), self.anchor, self.head_key, now, rhythm)
        self.log_files = LogFiles(settings.path("log"), settings.log.max_mib << 20, self.heads)
        self.keys = TemplateKeys(source_of(settings.keys, settings.root, data), self.store.templates.key_id)
        months = settings.templates.max_age_months
        galleries = GalleryCache(self.store, self.embedders, settings.matching, self.keys, months)
        self.context = Context(settings, self.store, self.vault, galleries, now, time.monotonic, engines)

    @staticmethod
    def clock() -> datetime:
        """The time, in UTC."""
        return now()

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to work on this inbox and database. Raises StartupError when another process has it."""
        path = self.settings.path("data") / "service.lock"
        with path.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                raise StartupError(
                    f"Another Beeldwacht works on this inbox (process {lock.read().strip() or 'unknown'}).",
                    "Stop it first, or drop the files into the inbox: it takes them.",
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            with self.store.database.kept():
                yield

    def at_work(self) -> int:
        """The process that holds the lock on this inbox; 0 when none does, or the system does not tell."""
        try:
            lock = (self.settings.path("data") / "service.lock").stat().st_ino
            lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0
        held = (line.split() for line in lines if " FLOCK " in line and "->" not in line)
        return next((int(f[4]) for f in held if f[5].rpartition(":")[2] == str(lock)), 0)

    def service(
        self,
        on_taken: Callable[[Taken], None],
        on_done: Callable[[int], None],
        alive: Callable[[], None] = lambda: None,
    ) -> Service:
        """The service, not yet started. `alive` is called every few seconds while its loop turns.

        Raises StartupError after a backup was restored, until the register is loaded again, and when the database is
        older than its log.
        """
        if self.store.items.heartbeat(RESTORED):
            raise StartupError(
                "A backup was restored: consents that were withdrawn since are not in its register.",
                "Run `beeldwacht register load FILE` or `beeldwacht register sync` first.",
            )

        if found := gap(
            self.settings.path("log"), self.anchor, self.store.journal.last_seq(), self.store.journal.hash_of
        ):
            raise found.error()

        def prune() -> None:
            self.enroller(None, "service").prune(self.store.register.current())
            self.log_files.compress((now() - timedelta(days=self.settings.log.compress_days)).date().isoformat())

        return Service(
            self.context,
            media_options(self.context),
            self.log_files,
            on_taken,
            on_done,
            self._register_timer(),
            prune,
            alive,
        )

    def watchman(self) -> Monitor:
        """What looks after the installation and tells people. Raises ConfigError for a secret that cannot be read."""
        s = self.settings
        where = places(s.alarms, s.root, s.school, s.language)
        return Monitor(self.store, s, where, lambda: len(self.log_flaws()))

    def rounds(self) -> MonitorLoop:
        """The watchman's rounds, not yet started. Raises ConfigError."""
        return MonitorLoop(self.watchman(), self.settings.alarms.every_seconds, now)

    def _register_timer(self) -> RegisterTimer | None:
        """What follows the configured source while the service runs; None when the register is loaded by hand.

        Raises RegisterError for a source that does not exist or is not configured rightly: no service without it.
        """
        if not self.settings.register.source:
            return None
        spec, r = register_spec(self.settings), self.settings.register
        configured(spec)

        def once() -> None:
            try:
                self.sync_register(actor="service")
            except (RegisterError, BeeldwachtError, OSError) as e:
                logger.error("the register was not read: %s", e)

        return RegisterTimer(spec.files, r.every_seconds, r.settle_seconds, time.monotonic, once)

    def load_register(self, path: Path, progress: Callable[[str, int, int], None], confirmed_by: str = "") -> Report:
        """Make a file the register, and enrol who agreed to be matched."""
        with self._enrolling(user()) as enroller:
            follow = partial(self.follow, user())
            report = load_register(path, self.store, enroller, now, user(), progress, self.brakes, confirmed_by, follow)
        self.store.items.silence(RESTORED)
        return report

    def follow(self, actor: str) -> tuple[Publication, ...]:
        """Carry out, or report, what the register in force means for what is published. Returns what showed somebody.

        With the publish folder away everything is begun, and the service finishes it.
        """
        at_once = self.settings.register.recall == "at once"
        found = due(self.store, self.store.register.current(), now().date())
        try:
            follow(self.store, self.vault, now(), actor, at_once)
        except PublishError as e:
            logger.error("recall: %s", e)
        return found.shown

    @property
    def brakes(self) -> Brakes:
        """How many changes may come into force at once."""
        return Brakes(self.settings.register.max_granted, self.settings.register.max_withdrawn)

    def sync_register(
        self,
        progress: Callable[[str, int, int], None] = lambda *_: None,
        confirmed_by: str = "",
        dry_run: bool = False,
        actor: str = "",
    ) -> Outcome:
        """Bring the register in line with the configured source, and the templates with the register.

        Raises ConfigError when no source is configured, consent_sync's RegisterError when it cannot be trusted.
        """
        spec = register_spec(self.settings)
        outcome = sync(
            spec,
            self.store,
            now(),
            actor or user(),
            brakes=self.brakes,
            confirmed_by=confirmed_by,
            dry_run=dry_run,
            max_age_days=self.settings.register.max_age_days,
            progress=progress,
        )
        if not dry_run:
            outcome = replace(outcome, due=self.follow(actor or user()))
        mark = {"mark": portraits_mark(outcome.version, outcome.loaded)}
        last = self.store.items.heartbeat(ENROLLED)
        if not dry_run and (last is None or last[1] != mark):  # also after a stop between the two
            with self._enrolling(actor or user()) as enroller:
                enroller.enrol(self.store.register.current(), outcome.loaded.portraits, progress)
            self.store.items.beat(now(), ENROLLED, mark)
        if not dry_run:
            self.store.items.silence(RESTORED)
            self.write_log_files()
        return outcome

    @contextmanager
    def _enrolling(self, actor: str) -> Iterator[Enroller]:
        """An enroller with a lab of its own where matching is on; afterwards the log's files are up to date."""
        media_client = MediaClient(media_options(self.context)) if self.settings.matching.enabled else None
        try:
            yield self.enroller(media_client, actor)
        except ChildError as e:
            raise StartupError(f"The reader of media does not start. {e}") from e
        finally:
            if media_client:
                media_client.close()
            self.write_log_files()

    def enroller(self, media_client: MediaClient | None, actor: str) -> Enroller:
        """What brings templates in line with a register; without a lab it can only delete."""
        s = self.settings
        return Enroller(
            self.store,
            self.vault,
            media_client,
            self.keys,
            self.embedders,
            s.matching.rules.engines,
            s.templates,
            now,
            actor,
        )

    def register_folder(self) -> Path | None:
        """Where the portraits and forms of the register are; None when they are nowhere that is known."""
        folder = self.settings.root / (self.settings.register.folder or "register")
        return folder if folder.is_dir() else None

    def enrol_portrait(self, person_id: str, data: bytes, suffix: str, actor: str) -> str:
        """Keep a portrait of somebody who agreed to be matched, and enrol it. Returns why it cannot be used, or "".

        A portrait that cannot be used is not kept. Raises BeeldwachtError when nobody may be enrolled like this.
        """
        register, folder = self.store.register.current(), self.register_folder()
        if person_id not in register.people or file_names.safe(person_id) != person_id:
            raise BeeldwachtError(f"{person_id} is not in the register.", "Load the register first.")
        if folder is None or not self.settings.matching.enabled:
            raise BeeldwachtError("Portraits are not used here.", "Matching is off, or the register's folder is away.")
        permission = may_match(register, person_id, now().date())
        if not permission.allowed:
            raise BeeldwachtError(
                f"{person_id}: {explain(permission.reason, self.settings.language)}.",
                "Enter the form into the register first.",
            )
        path = self.vault.portraits.keep(folder, person_id, data, suffix)
        own = Evidence(folder)
        portraits = {p: found for p in register.people if (found := own.portraits(p)[0])}
        with self._enrolling(actor) as enroller:
            result = enroller.enrol(register, portraits, lambda *_: None)
        why = next((w for p, name, w in result.portraits_refused if p == person_id and name == path.name), "")
        why = why or next((str(n.sentence) for n in result.not_enrolled if n.person_id == person_id), "")
        if why or result.problem:
            self.vault.portraits.erase(path, "")
        return why or result.problem

    def write_log_files(self) -> None:
        """Bring the files under log/ up to the table."""
        self.log_files.append(self.store.journal.entries)

    def exchange_log_key(self, by: str) -> str:
        """Let another key sign the log from now on; entered in the log. Returns its id. Raises BeeldwachtError."""
        self.write_log_files()
        with self.log_files.locked():
            newest = self.store.journal.newest()
            if newest is None:
                raise BeeldwachtError("The log is empty: there is no key to exchange.", "Start the service first.")
            key_id = self.heads.exchange_key(newest.seq, newest.hash)
        self.store.journal.note(now(), "log.key_exchanged", by, {"after": key_id})
        self.write_log_files()
        return key_id

    def log_flaws(self) -> list[Flaw]:
        """Every place where the log is not what it was."""
        return list(self.verify_log().flaws)

    def verify_log(self, anchor: Path | None = None) -> Verified:
        """Look at the whole log: the chain in the table, the copies in the files, what was signed here and elsewhere.

        `anchor` is a copy of the heads, or the folder that holds it; by default what [log] anchor names, if it can be
        reached. Raises StartupError when a copy that was asked for cannot be read.
        """
        return LogCheck(
            self.store.journal,
            self.settings.path("log"),
            self.head_key,
            self.settings.log.sign_entries,
            self.log_files.locked,
        ).run(anchor, self.anchor)
