"""The composition root: builds every part from the configuration, and is the only place with a clock."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from models.engines import WEIGHTS_OF
from models.weights import WEIGHTS, item
from pipeline import log_files as files
from pipeline.audit import Flaw, differences, flaws
from pipeline.config import Settings
from pipeline.enroller import Enroller
from pipeline.enrolment import Report, load_register
from pipeline.errors import ChildError, ConfigError, StartupError
from pipeline.gallery import GalleryCache
from pipeline.intake import Taken
from pipeline.keys import TemplateKeys, source_of
from pipeline.lab import Lab
from pipeline.log_files import LogFiles
from pipeline.process import Parts
from pipeline.service import Service, lab_options
from pipeline.store import Store
from pipeline.vault import Vault


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def user() -> str:
    """Who is at the keyboard, for the log."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


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
        except OSError as e:
            raise StartupError(f"{data}: cannot be made ({e.strerror}).", "Give the service the right to.") from e
        self.embedders = engine_versions(settings.matching.embedders if settings.matching.enabled else ())
        engines = engine_versions(settings.detection.detectors) | self.embedders
        self.store = Store(settings.database_url)
        self.vault = Vault(*(settings.path(n) for n in ("inbox", "publish", "quarantine", "vault", "work")))
        self.log_files = LogFiles(settings.path("log"))
        self.keys = TemplateKeys(source_of(settings.keys, settings.root, data), self.store.templates.key_id)
        months = settings.templates.max_age_months
        galleries = GalleryCache(self.store, self.embedders, settings.matching, self.keys, months)
        self.parts = Parts(settings, self.store, self.vault, galleries, now, time.monotonic, engines)

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to work on this inbox. Raises StartupError when another process has it."""
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
            yield

    def service(self, on_taken: Callable[[Taken], None], on_done: Callable[[int], None]) -> Service:
        """The service, not yet started."""
        return Service(self.parts, lab_options(self.parts), self.log_files, on_taken, on_done)

    def load_register(self, path: Path, progress: Callable[[str, int, int], None]) -> Report:
        """Make a file the register, and enrol who agreed to be matched."""
        lab = Lab(lab_options(self.parts)) if self.settings.matching.enabled else None
        try:
            if lab:
                lab.start()
            return load_register(path, self.store, self.enroller(lab, user()), now, user(), progress)
        except ChildError as e:
            raise StartupError(f"The engines do not load: {e}", "Run `beeldwacht models fetch`.") from e
        finally:
            if lab:
                lab.close()
            self.write_log_files()

    def enroller(self, lab: Lab | None, actor: str) -> Enroller:
        """What brings templates in line with a register; without a lab it can only delete."""
        s = self.settings
        return Enroller(self.store, self.vault, lab, self.keys, self.embedders, s.matching.rules.engines, s.templates,
                        now, actor)  # fmt: skip

    def write_log_files(self) -> None:
        """Bring the files under log/ up to the table."""
        self.log_files.append(self.store.journal.entries(self.log_files.last_seq()))

    def log_flaws(self) -> list[Flaw]:
        """Every place where the log is not what it was: the chain in the table, and the copies in the files."""
        found = list(flaws(self.store.journal.entries()))
        try:
            found += differences(self.store.journal.entries(), files.read(self.settings.path("log")))
        except ValueError as e:
            found.append(Flaw(0, str(e)))
        return sorted(set(found), key=lambda f: f.seq)
