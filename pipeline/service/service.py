"""The running service: one loop that sweeps, takes, renews, recovers and reports; workers do the rest.

Nothing here is needed to be remembered: after a kill at any moment the next start finds everything in the table
and the folders.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from pipeline.domain import file_names
from pipeline.domain.lifecycle import State
from pipeline.domain.types import JsonObject
from pipeline.domain.workload import SERVICE_HEARTBEAT
from pipeline.errors import BeeldwachtError, ChildError, PublishError, StartupError
from pipeline.intake import watch
from pipeline.intake.event_changes import EventChanges
from pipeline.intake.intake import Intake, Taken
from pipeline.intake.watch import Waiting
from pipeline.kill_points import reach
from pipeline.log.files import LogFiles
from pipeline.officer import events
from pipeline.people.register_timer import RegisterTimer
from pipeline.processing.context import Context
from pipeline.processing.outcome import look_name
from pipeline.processing.worker import Worker
from pipeline.publishing.publisher import Publisher
from pipeline.publishing.recall import carry_out
from pipeline.publishing.recall_due import follow
from pipeline.publishing.retention import expire
from pipeline.sandbox.client import Doubt, MediaClient
from pipeline.sandbox.options import FilmOptions, MediaOptions

logger = logging.getLogger(__name__)
_TICK = 0.5
_BEAT_SECONDS = 2.0
_NAMED = 20  # uploads that were broken off: `status` names so many
_SEAL_BYTES = 64 << 20  # of what was kept before originals were sealed, at each beat


class Service:
    """Takes, works and publishes until stopped. `on_taken` and `on_done` tell a screen what happens."""

    def __init__(
        self,
        context: Context,
        media_options: MediaOptions,
        log_files: LogFiles,
        on_taken: Callable[[Taken], None] = lambda _: None,
        on_done: Callable[[int], None] = lambda _: None,
        register: RegisterTimer | None = None,
        prune: Callable[[], object] = lambda: None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._alive = alive
        self._attended: dict[str, Callable[[], object]] = {}
        self._register = register
        self._context = context
        self._lab_options = media_options
        self._doubt = Doubt()
        self._log_files = log_files
        self._on_taken = on_taken
        self._on_done = on_done
        self._publisher = Publisher(context.vault, context.store, context.clock)
        self.intake = Intake(context.vault, context.store, context.clock, context.settings.work.max_file_mib << 20)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._flag = threading.Event()  # the inbox may have changed
        self._wake = threading.Event()  # there may be work
        self._stop = threading.Event()
        self._events = watch.Events(context.vault.inbox, self._flag)
        self._waiting: Mapping[str, Waiting] = {}
        self._descriptions = EventChanges(context.vault.inbox, context.settings.watch.settle_seconds)
        self._problems: dict[str, str] = {}  # part of the service -> what keeps it from its work
        self._broken_off: Sequence[watch.Unfinished] = ()
        self._sides: list[str] = []  # files beside photos and films, which nobody publishes
        self._later: dict[str, str] = {}  # file in the inbox -> why it could not be taken
        self._workers: list[Worker] = []
        self._lost: StartupError | None = None  # another service keeps the database now
        self._confined: tuple[str, ...] = ()
        self._prune = prune
        self._pruned: date | None = None
        self._followed: tuple[int, date] | None = None  # the register and the day that what is published agrees with
        self._last_beat = self._last_renewal = self._next_sweep = 0.0

    # --- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover what an earlier run left, prove that the engines load, start the workers. Raises StartupError."""
        context = self._context
        if context.store.items.counts()[State.PUBLISHED]:
            self._expect_publish_folder()
        context.vault.prepare()
        self._log_files.append(context.store.journal.entries)
        first = self._reader()
        try:
            first.start()
        except ChildError as e:
            raise StartupError(f"The reader of media does not start. {e}") from e
        self._confined = first.confined
        recovered = context.store.items.recover(context.clock(), living=())
        reach("start.recovered")
        keep = {r.work_name for _, rs in context.store.items.ready() for r in rs if r.state is State.READY}
        context.vault.clean_work(keep | {look_name(i, context) for i in context.store.items.all(state=State.QUEUED)})
        context.vault.clean_vault()
        reach("start.cleaned")
        matching: JsonObject = {"enabled": context.settings.matching.enabled}
        if context.settings.matching.enabled:
            m = context.settings.matching
            matching |= {"dpia_reference": m.dpia_reference, "decided_by": m.decided_by}
        facts: JsonObject = {
            "engines": dict(context.engines),
            "matching": matching,
            "recovered": recovered,
            "channels": list(context.settings.channels),
        }
        context.store.journal.note(context.clock(), "service.started", "service", facts)
        self._carry_out()
        self._publisher.publish_ready()
        if self._register:
            self._register.start()
        for n in range(context.settings.work.slots):
            self._hire(n, first if n == 0 else self._reader())

    def _expect_publish_folder(self) -> None:
        """Something is published: then a publish folder without any channel is a share that is not mounted."""
        missing = None
        for channel in self._context.settings.channels:
            try:
                self._context.vault.published.expect(channel)
            except PublishError as e:
                missing = e
            else:
                return
        if missing:
            raise StartupError(missing.message, missing.remedy)

    def run(self) -> None:
        """Watch the inbox until `stop` is called. Raises StartupError when another service took the database over."""
        while not self._stop.is_set():
            self._guarded(self._tick)
            self._stop.wait(_TICK if not self._flag.is_set() else 0.05)
        if self._lost:
            raise self._lost

    def drain(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Work until the queue is empty; `progress` is told how many files are left."""
        while not self._stop.is_set():
            counts = self._context.store.items.counts()
            left = counts[State.QUEUED] + counts[State.WORKING] + counts[State.READY]
            progress(left)
            if not left:
                return
            self._guarded(self._keep_house)
            self._stop.wait(0.1)

    def stop(self) -> None:
        """Ask the loop to end. Safe in a signal handler and from any thread."""
        self._stop.set()

    def close(self, patience: float) -> None:
        """Let the workers finish their files, at most for `patience` seconds, and write the rest of the log."""
        self._stop.set()
        if self._register:
            self._register.stop()
        self._events.stop()
        for worker in self._workers:
            worker.stop()
        end = time.monotonic() + patience
        for worker in self._workers:
            worker.join(max(0.0, end - time.monotonic()))
        if self._lost:  # what these workers held belongs to the other service by now
            for worker in self._workers:
                worker.abandon()
            return
        context = self._context
        # First the files go back to the queue, then the readers end: that they did is not the files' fault.
        context.store.items.recover(context.clock(), living=())
        for worker in self._workers:
            if worker.is_alive():
                worker.abandon()
                worker.join(5.0)
        context.store.journal.note(context.clock(), "service.stopped", "service", {})
        self._log_files.append(context.store.journal.entries)
        context.store.items.silence(SERVICE_HEARTBEAT)

    # --- the loop ---------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = time.monotonic()
        if self._flag.is_set() or now >= self._next_sweep:
            self._flag.clear()
            self._sweep()
        self._keep_house()

    def _sweep(self) -> None:
        context, w = self._context, self._context.settings.watch
        now = time.monotonic()
        try:
            skipped: list[str] = []
            unfinished: list[watch.Unfinished] = []
            self._sides = []
            listing = watch.look(context.vault.inbox, skipped, unfinished, self._sides)
        except OSError as e:  # an unreachable share is never an empty inbox: remember what was waiting
            self._problems["inbox"] = f"the inbox cannot be read: {e.strerror or e}"
            self._next_sweep = now + w.sweep_seconds
            return
        if w.events:
            self._events.ensure()
        self._problems["inbox"] = self._events.problem
        self._broken_off = watch.broken_off(unfinished, context.clock())
        self._problems["folders"] = f"cannot be looked into: {skipped[0]}" if skipped else ""
        self._attempt("events", lambda: self._follow_events(now))
        sweep = watch.settle(listing, self._waiting, now, w.settle_seconds, w.incomplete_seconds)
        taken = self.take(sweep.ready)
        gone = {t.relative for t in taken if t.outcome != "later"}
        self._later = {t.relative: t.problem for t in taken if t.outcome == "later"}
        self._problems["intake"] = next(iter(self._later.values()), "")
        again = time.monotonic()  # what could not be taken is not tried at every look
        self._waiting = {
            k: replace(v, since=again) if k in self._later else v for k, v in sweep.waiting.items() if k not in gone
        }
        pending = min(w.sweep_seconds, max(0.2, w.settle_seconds / 2)) if self._waiting else w.sweep_seconds
        self._next_sweep = time.monotonic() + pending

    def _follow_events(self, now: float) -> None:
        """Descriptions of events that were changed in the inbox count for the files that came before, too."""
        for name in self._descriptions.events(now):
            if events.follow(self._context, name).changed:
                self._wake.set()
            self._descriptions.handled(name)

    def take(self, ready: Iterable[watch.Seen]) -> list[Taken]:
        """Take these out of the inbox, in order."""
        taken = []
        for seen in ready:
            if self._stop.is_set():
                break
            result = self.intake.from_inbox(seen)
            taken.append(result)
            if result.outcome != "later" or self._later.get(result.relative) != result.problem:
                self._on_taken(result)
            self._wake.set()
            self._renew_leases()
        return taken

    def _keep_house(self) -> None:
        context = self._context
        self._renew_leases()
        for n, worker in enumerate(self._workers):
            if not worker.is_alive():
                logger.error("slot %d ended; it is started again", n)
                self._hire(n, self._reader())
        now = time.monotonic()
        if now - self._last_beat >= _BEAT_SECONDS:
            self._last_beat = now
            self._prove_keeper()
            if self._lost:
                return
            self._attempt("recall", self._carry_out)
            self._attempt("templates", self._prune_daily)
            self._attempt("vault", lambda: context.vault.originals.seal_plain(_SEAL_BYTES))
            self._attempt("publish", self._publisher.publish_ready)  # what a full disk or a locked folder kept back
            self._attempt("log", lambda: self._log_files.append(context.store.journal.entries))
            context.store.items.beat(context.clock(), SERVICE_HEARTBEAT, self._facts())
            for part, step in self._attended.items():
                self._attempt(part, step)
            self._alive()

    def _prove_keeper(self) -> None:
        """End when another service took over the database: two would take each other's work."""
        try:
            self._context.store.database.prove_keeper()
        except StartupError as e:
            logger.critical("%s", e)
            self._lost = e
            self.stop()

    def attend(self, part: str, step: Callable[[], object]) -> None:
        """Have a step tried at every beat that is no part of the work; `status` says when it fails."""
        self._attended[part] = step

    def _carry_out(self) -> None:
        """Finish what was begun; after each reading of the register, and each midnight, what it means as well."""
        context, now = self._context, self._context.clock()
        state = context.store.register.current().version, now.date()
        if state != self._followed:
            follow(context.store, context.vault, now, "service", context.settings.register.recall == "at once")
            self._followed, self._pruned = state, None  # templates of who may not be matched any more go as well
            self._wake.set()
        if carry_out(context.vault, context.store, now, "service"):
            self._wake.set()

    def _attempt(self, part: str, step: Callable[[], object]) -> None:
        """One step that may fail without keeping the others back; `status` says that it did."""
        try:
            step()
        except (BeeldwachtError, OSError) as e:
            why = self._context.vault.told(e)
            if self._problems.get(part) != why:
                logger.error("%s: %s", part, why)
            self._problems[part] = why
        else:
            self._problems.pop(part, None)

    def _prune_daily(self) -> None:
        """Consents and portraits run out without anybody touching the register: their templates go that day.

        So do originals whose time is over.
        """
        today = self._context.clock().date()
        if today != self._pruned:
            self._prune()
            context = self._context
            expire(context.store, context.vault, context.clock(), context.settings.retention.originals_days, "service")
            self._pruned = today

    def _renew_leases(self) -> None:
        context, lease = self._context, self._context.settings.work.lease_seconds
        now = time.monotonic()
        if now - self._last_renewal < lease / 3:
            return
        self._last_renewal = now
        owners = [w.name for w in self._workers if w.is_alive()]
        for owner in owners:
            context.store.items.renew(context.clock(), owner, lease)
        if context.store.items.recover(context.clock(), owners):
            self._wake.set()

    def _reader(self) -> MediaClient:
        return MediaClient(self._lab_options, self._doubt)

    def _hire(self, number: int, media_client: MediaClient) -> None:
        owner = f"{self._name}:{number}:{os.urandom(3).hex()}"
        worker = Worker(owner, media_client, self._context, self._publisher, self._wake, self._on_done)
        self._workers[number : number + 1] = [worker]
        worker.start()

    def progress(self) -> list[JsonObject]:
        """How far the films are that are in work."""
        return [p.facts() for w in self._workers if (p := w.progress)]

    def _problem(self) -> str:
        """All that keeps the service from its work, in one line; empty when nothing does."""
        workers = [w.problem for w in self._workers]
        return "; ".join(dict.fromkeys(p for p in (*self._problems.values(), *workers) if p))

    def _facts(self) -> JsonObject:
        settings = self._context.settings
        return {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "slots": settings.work.slots,
            "events": self._events.alive() if settings.watch.events else False,
            "problem": self._problem(),
            "unfit": any(w.unfit for w in self._workers),
            "broken_off": len(self._broken_off),
            "broken_off_files": [
                {"file": file_names.shown(u.relative), "since": u.since.isoformat(timespec="seconds")}
                for u in self._broken_off[:_NAMED]
            ],
            "waiting": len(self._waiting),
            "side_files": len(self._sides),
            "child_confined": list(self._confined),
            "working": [w.item.id for w in self._workers if w.item],
            "progress": self.progress(),
        }

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (BeeldwachtError, OSError) as e:
            self._problems["service"] = why = self._context.vault.told(e)
            logger.error("%s", why)
            self._stop.wait(1.0)
        else:
            self._problems.pop("service", None)


def walk(path: Path) -> tuple[Path, list[str]]:
    """A folder, and the files below it that an inbox would take, sorted; a file is the only one of its folder."""
    if not path.is_dir():
        return path.parent, [path.name]
    return path, sorted(seen.relative for seen in watch.look(path))


def media_options(context: Context) -> MediaOptions:
    """What the configuration allows a child process."""
    s = context.settings
    return MediaOptions(
        s.path("weights"),
        s.detection.detectors,
        s.matching.embedders if s.matching.enabled else (),
        s.work.threads_per_slot,
        s.work.deadline_seconds,
        s.work.child_memory_mib << 20,
        s.work.max_megapixels * 1_000_000,
        s.work.recycle_after,
        s.work.max_file_mib << 20,
        FilmOptions(
            s.film.max_minutes * 60,
            round(s.film.max_megapixels * 1e6),
            s.film.max_rate,
            s.film.threads,
            s.film.patience_seconds,
            s.film.slowest,
        ),
        s.path("work"),
        s.detection.prove_minutes * 60,
    )
