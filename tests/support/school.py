"""A real installation for tests: its folders, its service as a process, its register made of sample photographs."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.domain.lifecycle import State

COMMAND = [sys.executable, "-m", "pipeline.cli"]
FORM = b"%PDF-1.4\n%%EOF\n"
CHANNELS = ("school", "personal")
FAST = {
    "BEELDWACHT_WATCH__SETTLE_SECONDS": "0.3",
    "BEELDWACHT_WATCH__SWEEP_SECONDS": "0.5",
    "BEELDWACHT_WATCH__INCOMPLETE_SECONDS": "1",
}
SETTLED = ("published", "held", "rejected", "failed")


class School:
    """One installation in a folder of its own."""

    def __init__(self, home: Path, env: Mapping[str, str] | None = None, matching: bool = True) -> None:
        self.home = home
        self.extra = dict(env or {})
        self.env = {**os.environ, **FAST, **self.extra}
        self.service: subprocess.Popen[str] | None = None
        dpia = ["--dpia-reference", "DPIA test", "--decided-by", "test"] if matching else []
        self.run("init", str(home), *dpia, home=False)

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def publish(self) -> Path:
        return self.home / "publish"

    def run(self, *arguments: str, ok: bool = True, home: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.home if home else None,
            env=self.env,
            text=True,
            capture_output=True,
            timeout=600,
            check=False,
        )
        if ok and done.returncode:
            raise AssertionError(f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments: str, ok: bool = True) -> Any:
        return json.loads(self.run(*arguments, "--json", ok=ok).stdout)

    def register(self, rows: Iterable[Mapping[str, str]], portraits: Mapping[str, Iterable[Path]]) -> Any:
        """Write and load a register; every row gets a signed form unless it says `form` itself."""
        folder = self.home / "register"
        filled = [{**person(str(r["person_id"])), **r} for r in rows]
        for row in filled:
            if row["form"]:
                (folder / row["form"]).parent.mkdir(parents=True, exist_ok=True)
                (folder / row["form"]).write_bytes(FORM)
        for pid, photos in portraits.items():
            for n, photo in enumerate(photos):
                target = folder / "portraits" / pid / f"{n}{photo.suffix}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(photo.read_bytes())
        with (folder / "register.csv").open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, fieldnames=list(filled[0]))
            writer.writeheader()
            writer.writerows(filled)
        return self.json("register", "load", str(folder / "register.csv"))

    def start(self) -> None:
        self.service = subprocess.Popen(
            [*COMMAND, "run"],
            cwd=self.home,
            env=self.env,
            text=True,
            stdout=(self.home / "service.out").open("a"),
            stderr=(self.home / "service.err").open("a"),
        )

    def kill(self) -> None:
        if self.service:
            self.service.send_signal(signal.SIGKILL)
            self.service.wait()
            self.service = None

    def stop(self) -> int:
        assert self.service
        self.service.send_signal(signal.SIGTERM)
        code = self.service.wait(120)
        self.service = None
        return code

    def counts(self) -> dict[str, int]:
        """Files by state, read beside the service: asking the command each time would take the machine from it."""
        try:
            with closing(sqlite3.connect(f"file:{self.home / 'data' / 'beeldwacht.db'}?mode=ro", uri=True)) as db:
                found = dict(db.execute("SELECT state, count(*) FROM items GROUP BY state").fetchall())
        except sqlite3.OperationalError:  # not made yet
            found = {}
        return {str(s): found.get(str(s), 0) for s in State}

    def wait(self, count: int, seconds: float = 120) -> dict[str, int]:
        """Wait until so many files are in an end state."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            counts = self.counts()
            if sum(counts[s] for s in SETTLED) >= count and not (
                counts["queued"] or counts["working"] or counts["ready"]
            ):
                told: dict[str, int] = self.json("status")["files"]
                return told
            if self.service and self.service.poll() is not None:
                raise AssertionError(f"the service ended: {(self.home / 'service.err').read_text()}")
            time.sleep(0.1)
        raise AssertionError(f"not done in {seconds} s: {self.counts()}; {(self.home / 'service.err').read_text()}")

    def published(self) -> list[str]:
        return sorted(str(p.relative_to(self.publish)) for p in self.publish.rglob("*") if p.is_file())

    def log(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("log", *arguments, "--json").stdout.splitlines()]


def person(pid: str) -> dict[str, str]:
    """A row of somebody who agreed to everything."""
    return {
        "person_id": pid,
        "name": f"Name of {pid[:2]}",  # not what the tests call their files: those would get neutral names
        "role": "employee",
        "group": "",
        "birth_date": "1970-01-01",
        "signed_by": "self",
        "signed_on": "2025-09-01",
        "valid_until": "",
        "withdrawn_on": "",
        "form": f"forms/{pid}.pdf",
        "matching": "yes",
        **{f"{m}_{c}": "yes" for m in ("photo", "film", "sound") for c in CHANNELS},
    }


def until(
    true: Callable[[], object], what: Callable[[], object] = lambda: "it did not happen in time", seconds: float = 60
) -> None:
    """Wait for something; `what` says what there is instead when it takes too long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.2)
