#!/usr/bin/env python3
"""Kill the service over and over, at named points and at random times; then nothing may be lost, doubled or shown.

    python -m bench.chaos [--kills 1000] [--seed 1] [--points NAME ...] [--home DIR] [--json]

A school with a register that changes gets photos, films, broken files and files that come twice, while the service and
the commands of an officer (names given by hand, files decided anew, recalls) are killed with SIGKILL: at the points of
`pipeline.kill_points`, each in turn, and at random times. A process of its own (`bench.chaos_watch`) looks at every
file the moment it appears in the publish folder. At the end the service may finish, and `bench.chaos_check` reads the
disk, the database and the log. The exit status is 1 when a promise was broken.

Processes are forked from one that has loaded the program already, so that a start takes little time; the reader of
media is started anew each time, as always.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pipeline.cli
import pipeline.service.service  # loaded before the forks
from bench.chaos_check import check
from bench.chaos_media import Media
from bench.chaos_watch import watch
from models.downloads import manifest
from pipeline.kill_points import POINTS, VARIABLE
from tests.support.school import FORM, School, person

PEOPLE = ("P1", "P2", "P3")
EVENTS = 8
BACKLOG = 8
IDLE = 4.0  # seconds without any work after which a point will not be reached any more
LONGEST = 12.0  # seconds that a point may take to be reached; then the process is killed where it is
OFTEN = {
    "vault.copying",
    "vault.copied",
    "vault.renamed",
    "intake.row",
    "intake.cleared",
    "work.claimed",
    "work.analysed",
    "work.rendered",
    "publish.renamed",
    "publish.released",
    "log.writing",
    "log.written",
}
ANEW = {"recall.beginning", "recall.begun", "recall.removed", "recall.done"}
REGISTER = {"register.replacing", "register.replaced"}
ENVIRONMENT = {
    "BEELDWACHT_WATCH__SETTLE_SECONDS": "0.1",
    "BEELDWACHT_WATCH__SWEEP_SECONDS": "0.3",
    "BEELDWACHT_WATCH__INCOMPLETE_SECONDS": "0.3",
    "BEELDWACHT_WORK__SLOTS": "1",
    "BEELDWACHT_WORK__INTERRUPTIONS": "1000",
    "BEELDWACHT_REGISTER__SOURCE": "csv",
    "BEELDWACHT_REGISTER__OPTIONS": '{"file": "register/register.csv"}',
    "BEELDWACHT_REGISTER__SETTLE_SECONDS": "0.2",
}


class Chaos:
    """One school, and what is done to it."""

    def __init__(self, home: Path, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a fixed seed, no secret
        self.school = School(home / "school", ENVIRONMENT)
        self.outside = home / "outside"
        self.outside.mkdir()
        (self.outside / "witness").write_text("nobody touches this")
        self.media = Media(home / "originals", self.random)
        self.kills: Counter[str] = Counter()
        self.by_time = 0
        self.register(0)
        self.school.run("register", "sync")

    def register(self, turn: int) -> None:
        """Write the register, with an answer of P3 that is different each turn."""
        folder = self.school.home / "register"
        rows = [
            person("P1"),
            person("P2") | {f"photo_{c}": "no" for c in ("school", "personal")},
            person("P3") | {"photo_personal": "no" if turn % 2 else "yes"},
        ]
        for pid in PEOPLE:
            (folder / "forms").mkdir(parents=True, exist_ok=True)
            (folder / "forms" / f"{pid}.pdf").write_bytes(FORM)
        portrait = folder / "portraits" / "P1" / "0.jpg"
        if not portrait.exists():
            portrait.parent.mkdir(parents=True)
            portrait.write_bytes(self.media.portrait.read_bytes())
        partial = folder / ".register.partial"
        with partial.open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(folder / "register.csv")

    def round(self, turn: int, point: str | None) -> None:
        """Give the service something to do, and kill it: at a point, or (None) at a random time."""
        event = self.school.inbox / f"event-{turn % EVENTS}"
        event.mkdir(exist_ok=True)
        if self.backlog() < BACKLOG:
            self.media.drop(event, film=point == "film.looked" or turn % 25 == 0)
        if point and point.startswith("aside."):
            self.media.drop_broken(event)
        if point in REGISTER or turn % 10 == 5:
            self.register(turn)
        if turn % 12 == 7:
            self.media.drop_again(event)
        if point in ANEW | {"store.naming"} and (command := self.officer(point)):
            self.kill(fork(command, self.school, self.point(point)), point, LONGEST)
            point = None
        if turn % 40 == 39:
            fork_and_wait(["recall", "P1", "--apply", "--by", "chaos"], self.school)
        pid = fork(["run"], self.school, self.point(point))
        self.kill(pid, point, LONGEST if point else self.random.uniform(0.2, 4.0))

    def point(self, point: str | None) -> str:
        """The value of the variable that names a point; empty for none."""
        if point is None:
            return ""
        return f"{point}:{self.random.randint(1, 3) if point in OFTEN else 1}"

    def officer(self, point: str | None) -> list[str] | None:
        """A command of an officer on something that is published."""
        newest = "SELECT id FROM items WHERE state = 'published' AND format LIKE 'JPEG%' ORDER BY id DESC LIMIT 40"
        rows = self.ask(newest)
        if not rows:
            return None
        item = self.random.choice(rows)[0]
        named = self.ask("SELECT item_id, box FROM face_names WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1")
        if point != "store.naming" and named and self.random.random() < 0.3:  # a name that is taken away again
            face = self.ask("SELECT face FROM verdicts WHERE item_id = ? AND box = ?", *named[0])
            if face:
                return ["item", "unname", str(named[0][0]), str(face[0][0]), "--by", "chaos", "--redo"]
        if point != "store.naming":
            return ["item", "redo", str(item), "--by", "chaos"]
        faces = self.ask("SELECT face, reason FROM verdicts WHERE item_id = ? AND person_id IS NULL", item)
        if not faces:
            return None
        return ["item", "name", str(item), str(faces[0][0]), "P2", "--by", "chaos", "--redo"]

    def kill(self, pid: int, point: str | None, seconds: float) -> None:
        """Wait until the process ends at its point; kill it when that takes too long."""
        started = busy = time.monotonic()
        while (now := time.monotonic()) < started + seconds and now < busy + IDLE:
            if point is None or self.backlog():
                busy = now
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
                    self.kills[str(point)] += 1
                    return
                if os.waitstatus_to_exitcode(status) and point not in ANEW | {"store.naming"}:
                    raise AssertionError(f"the service ended by itself: {self.complaints()}")
                return
            time.sleep(0.03)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.by_time += 1

    def finish(self, seconds: float = 900.0) -> None:
        """Let the service do what is left, and end it in good order."""
        pid = fork(["run"], self.school, "")
        end = time.monotonic() + seconds
        quiet = 0
        while quiet < 10:
            if time.monotonic() > end or os.waitpid(pid, os.WNOHANG)[0]:
                states = self.ask("SELECT state, count(*) FROM items GROUP BY 1")
                raise AssertionError(f"not done: {states}, {self.complaints()}")
            quiet = 0 if self.backlog() or self.ask("SELECT 1 FROM recalls WHERE done_at IS NULL") else quiet + 1
            time.sleep(0.3)
        os.kill(pid, signal.SIGTERM)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            raise AssertionError(f"the service did not end well: {self.complaints()}")

    def backlog(self) -> int:
        """How many files are in the inbox, or not at their end."""
        waiting = sum(1 for p in self.school.inbox.glob("event-*/*") if p.is_file())
        return waiting + len(self.ask("SELECT 1 FROM items WHERE state IN ('queued', 'working', 'ready')"))

    def ask(self, query: str, *values: object) -> list[Any]:
        """Rows of the database, which is only read."""
        connection = sqlite3.connect(f"file:{self.school.home}/data/beeldwacht.db?mode=ro", uri=True, timeout=60)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def complaints(self) -> str:
        """The last words of the service."""
        return (self.school.home / "service.err").read_text()[-2000:]


def fork(arguments: list[str], school: School, point: str) -> int:
    """Start a command of Beeldwacht as a copy of this process. Returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        out = os.open(school.home / "service.err", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.dup2(out, 2)
        os.chdir(school.home)
        os.environ.update(ENVIRONMENT)
        os.environ[VARIABLE] = point
        sys.argv = ["beeldwacht", *arguments]
        pipeline.cli.main()
        os._exit(0)
    except SystemExit as e:
        os._exit(e.code if isinstance(e.code, int) else 1)
    finally:
        os._exit(70)


def fork_and_wait(arguments: list[str], school: School) -> None:
    """Carry out a command to its end."""
    os.waitpid(fork(arguments, school, ""), 0)


def run(home: Path, kills: int, seed: int, points: Sequence[str] = tuple(POINTS)) -> dict[str, Any]:
    """The whole of it. Returns the figures, with a list `broken` that should be empty."""
    chaos = Chaos(home, seed)
    stop, wrong = home / "stop", home / "wrong"
    observer = multiprocessing.get_context("spawn").Process(
        target=watch, args=(chaos.school.publish, home / "originals", stop, wrong)
    )
    observer.start()
    started, turn = time.monotonic(), 0
    try:
        while chaos.kills.total() + chaos.by_time < kills:
            chaos.round(turn, None if turn % 4 == 3 else points[(turn - turn // 4) % len(points)])
            turn += 1
            if turn % 50 == 0:
                print(f"{chaos.kills.total() + chaos.by_time} kills, {time.monotonic() - started:.0f} s", flush=True)
        minutes = (time.monotonic() - started) / 60
        chaos.finish()
    finally:
        time.sleep(1)
        stop.touch()
        observer.join(60)
    if observer.exitcode != 0:
        raise AssertionError("the observer did not end well")
    broken = [*json.loads(wrong.read_text())["wrong"], *check(chaos.school, chaos.media, chaos.outside)]
    return {
        "kills": chaos.kills.total() + chaos.by_time,
        "at_points": chaos.kills.total(),
        "points": len(chaos.kills),
        "at_random_times": chaos.by_time,
        "files": len(chaos.media.dropped),
        "minutes": round(minutes, 1),
        "seed": seed,
        "appearances": json.loads(wrong.read_text())["seen"],
        "by_point": dict(sorted(chaos.kills.items())),
        "broken": broken,
    }


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", nargs="+", choices=list(POINTS), default=list(POINTS), help="only at these")
    parser.add_argument("--home", type=Path, help="work here and keep everything")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    a = parser.parse_args()
    manifest.fetch(manifest.WEIGHTS, manifest.FOLDER)
    manifest.fetch(manifest.KNOWN, manifest.FOLDER / manifest.KNOWN_FOLDER)
    with tempfile.TemporaryDirectory(prefix="beeldwacht-chaos-") as temporary:
        home = a.home or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        result = run(home.resolve(), a.kills, a.seed, a.points)
    print(
        f"{result['kills']} kills ({result['at_points']} at {result['points']} points) over {result['files']} files: "
        f"{len(result['broken'])} promises broken"
    )
    for line in result["broken"]:
        print(f"  {line}")
    if a.json:
        print(json.dumps(result))
    return int(bool(result["broken"]))


if __name__ == "__main__":
    sys.exit(main())
