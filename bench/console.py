"""How fast the console's pages are on a large school, alone and with 50 people at once.

    python -m bench.console [--items 20000] [--seconds 30]

Fills a SQLite database with items, five verdicts each, and their log (rows as the service writes them, without
media), serves it with `beeldwacht serve`, times every page, then lets locust's users walk through them on loopback
(bench/console_users.py). The exit status is 1 when a page's median is 200 ms or more when asked for alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, update

from pipeline.config import load
from pipeline.console.auth import Auth
from pipeline.domain.film import Stretch
from pipeline.domain.types import Answer, Consent, Medium, Person, Role, Signer
from pipeline.log import chain
from pipeline.maintenance.init import init
from pipeline.redaction.film_timeline import Board, board_out
from pipeline.store import Store
from pipeline.store.accounts import AccountRole
from pipeline.store.console_tables import film_boards, log_reasons
from pipeline.store.tables import items, log, log_people, renditions, verdicts

PASSWORD = "four words in a row"  # noqa: S105 - of the bench's own account
NOW = datetime.now(UTC)
TARGET = 0.2
PEOPLE, FACES, EVENTS, ROUNDS = 2000, 5, 400, 15
REASONS = ("consent", "unknown_person", "refused", "too_small", "ambiguous")
PAGES = {
    "today": "/today",
    "review queue": "/review",
    "one item": "/review/{held}",
    "one film": "/review/{film}",
    "audit, newest": "/audit",
    "audit by person": "/audit?person=P0042",
    "audit by name": "/audit?person=Name+42",
    "audit by item": "/audit?item=77",
    "audit by file": "/audit?file=IMG_00500.jpg",
    "audit by event": "/audit?event=event-17",
    "audit by reason": "/audit?reason=refused",
    "audit by rare reason": "/audit?reason=lesson_without_permission",
    "audit by actor": "/audit?actor=account:bench",
    "audit by kind": "/audit?kind=item.held",
    "audit by days": "/audit?since=2020-01-01&until=2030-01-01",
    "audit, person and reason": "/audit?person=P0042&reason=refused",
    "audit of one item": "/audit/item/77",
    "spot checks": "/audit/spot",
    "gallery": "/gallery",
    "gallery of an event": "/gallery?channel=school&event=event-17",
    "withdrawn": "/gallery/withdrawn",
    "register": "/register",
    "register search": "/register?q=name+4",
    "one person": "/register/person/P0042",
    "upload": "/upload",
    "accounts": "/accounts",
}


def main() -> int:
    """Fill, serve, measure, print two tables."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--items", type=int, default=20_000)
    p.add_argument("--users", type=int, default=50)
    p.add_argument("--seconds", type=int, default=30)
    given = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="beeldwacht-console-") as temporary:
        home = Path(temporary) / "school"
        held = fill(home, given.items)
        with (home / "out").open("w") as out:
            server = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", "serve"],
                cwd=home,
                stdout=out,
                stderr=out,
                env={**os.environ, "BEELDWACHT_CONSOLE__PORT": "0"},
            )
        try:
            address = wait_for(home / "out")
            slow = alone(address, held)
            together(address, held, given.users, given.seconds, home)
        finally:
            server.terminate()
            server.wait()
    return 1 if slow else 0


def fill(home: Path, count: int) -> int:
    """A school of so many items. Returns the number of the last held one, which is a film."""
    init(home, "", "")
    settings = load(home / "beeldwacht.toml")
    (home / "data").mkdir(exist_ok=True)
    (home / "vault").mkdir(exist_ok=True)
    store = Store(settings.database_url)
    auth = Auth(store, lambda: NOW, settings.console)
    store.accounts.add(NOW, "bench", "bench", list(AccountRole))
    auth.accept(auth.invite("bench", "bench"), "bench", PASSWORD, "bench")
    _people(store)
    started = time.monotonic()
    rng, previous, seq = random.Random(7), "", 0  # noqa: S311
    with store.database.read() as tx:
        last = tx.execute(log.select().order_by(log.c.seq.desc()).limit(1)).one()
        previous, seq = last.hash, last.seq
    held = 0
    board = zlib.compress(json.dumps(board_out(_board())).encode())
    for start in range(1, count + 1, 1000):
        tables = (items, verdicts, renditions, log, log_people, log_reasons)
        rows: dict[Any, list[dict[str, Any]]] = {t: [] for t in tables}
        for n in range(start, min(start + 1000, count + 1)):
            hold = n % 50 == 0
            held = n if hold else held
            at = NOW - timedelta(minutes=4 * (count - n))
            for kind, body, people, reasons in _story(n, hold, rng, rows, at):
                seq += 1
                e = chain.seal(
                    seq, at.isoformat(timespec="microseconds"), kind, "service", n, chain.canonical(body), previous
                )
                previous = e.hash
                rows[log].append(
                    {
                        "seq": seq,
                        "at": e.at,
                        "kind": kind,
                        "actor": "service",
                        "item_id": n,
                        "body": e.body,
                        "previous": e.previous,
                        "hash": e.hash,
                    }
                )
                rows[log_people] += [{"person_id": x, "seq": seq} for x in sorted(people)]
                rows[log_reasons] += [{"reason": x, "seq": seq} for x in sorted(reasons)]
        with store.database.write() as tx:
            for table, own in rows.items():
                if own:
                    tx.execute(insert(table), own)
    with store.database.write() as tx:  # the last held one is a film, the one before it a photo
        tx.execute(update(items).where(items.c.id == held).values(format="film (mov)", name="FILM.mp4"))
        tx.execute(insert(film_boards).values(item_id=held, board=board))
    print(f"{count} items, {count * FACES} decisions, {seq} log entries, made in {time.monotonic() - started:.0f} s")
    store.close()
    return held


def _board() -> Board:
    """What a page draws of a film of five minutes: a track for each face, and speech through half of it."""
    path = tuple((s / 5, 100, 100, 200, 220) for s in range(1500))
    return Board(
        "mov",
        "h264",
        "aac",
        1280,
        720,
        25.0,
        300.0,
        (path,) * FACES,
        tuple(Stretch(10.0 * n, 10.0 * n + 5) for n in range(30)),
    )


def _people(store: Store) -> None:
    people = {f"P{n:04}": Person(f"P{n:04}", f"Name {n}", Role.PUPIL, (f"{n % 30}A",), None) for n in range(PEOPLE)}
    consents = [
        Consent(
            f"{p}/photo/{c}",
            p,
            Medium.PHOTO,
            c,
            Answer.YES if n % 3 else Answer.NO,
            Signer.PARENT,
            NOW.date(),
            "f",
            "e" * 64,
            None,
            None,
            row_number=n + 2,
        )
        for n, p in enumerate(people)
        for c in ("school", "personal")
    ]
    body = {"diff": {"counts": {"people_added": PEOPLE}}, "problems": []}
    store.register.replace(NOW, "bench", "r.csv", "c" * 64, PEOPLE, people, consents, body)


def _story(n: int, hold: bool, rng: random.Random, rows: dict[Any, list[dict[str, Any]]], at: datetime) -> Any:
    """The rows of one item, and the entries of its log."""
    event, name, stamp = f"event-{n % EVENTS}", f"IMG_{n:05}.jpg", at.isoformat(timespec="microseconds")
    facts = {
        "name": event,
        "title": f"Event {n % EVENTS}",
        "date": None,
        "kind": "",
        "groups": [],
        "uploader": "",
        "permission": "",
        "problem": "",
    }
    why = ["lesson_without_permission"] if hold else []
    rows[items].append(
        {
            "id": n,
            "sha256": f"{n:064x}",
            "name": name,
            "event": event,
            "folder": "",
            "event_facts": json.dumps(facts),
            "source": name,
            "source_stamp": str(n),
            "size": 1,
            "state": "held" if hold else "published",
            "reasons": json.dumps(why),
            "format": "JPEG",
            "revision": 1,
            "register_version": 1,
            "seconds": 1.0,
            "arrived_at": stamp,
            "updated_at": stamp,
            "notes": "[]",
            "attempts": 1,
            "interruptions": 0,
        }
    )
    own: dict[str, list[dict[str, Any]]] = {"school": [], "personal": []}
    for face in range(FACES):
        person, reason = f"P{rng.randrange(PEOPLE):04}", rng.choice(REASONS)
        named = person if reason in {"consent", "refused"} else None
        channel = "school" if face % 2 else "personal"
        box = [100 * face, 50, 100 * face + 60, 130]
        said = {
            "article": "A.5",
            "register_version": 1,
            "detected_by": ["centerface", "yunet"],
            "candidate": person,
            "score": 7.1,
            "threshold": 6.8,
            "runner_up": 2.0,
            "margin": 2.0,
            "consent_row": f"{person}/photo/{channel}",
        }
        rows[verdicts].append(
            {
                "item_id": n,
                "revision": 1,
                "channel": channel,
                "face": face,
                "box": json.dumps(box),
                "shown": int(reason == "consent"),
                "reason": reason,
                "person_id": named,
                "facts": json.dumps(said),
            }
        )
        own[channel].append(
            {"face": face, "box": box, "shown": reason == "consent", "reason": reason, "person": named, **said}
        )
    for channel in () if hold else ("school", "personal"):
        path = f"{event}/{name}"
        rows[renditions].append(
            {
                "item_id": n,
                "revision": 1,
                "channel": channel,
                "state": "published",
                "work_name": f"{n}-{channel}",
                "sha256": f"{n:064x}",
                "size": 1,
                "path": path,
                "path_key": path,
                "published_at": stamp,
            }
        )
    people = {v["person"] for vs in own.values() for v in vs if v["person"]}
    yield "item.arrived", {"sha256": f"{n:064x}", "bytes": 1, "event": facts}, (), ()
    decided = {
        "sha256": f"{n:064x}",
        "event": event,
        "on": stamp[:10],
        "register_version": 1,
        "format": "JPEG",
        "size": [1200, 800],
        "notes": [],
        "faces": FACES,
        "engines": {},
        "verdicts": own,
        "checks": {c: [{"name": "metadata", "passed": True, "detail": ""}] for c in own},
        "renditions": [],
        "held": why,
    }
    yield "item.decided", decided, people, {v["reason"] for vs in own.values() for v in vs}
    if hold:
        yield "item.held", {"reasons": why, "message": ""}, (), why
    else:
        sent = {"renditions": [{"channel": c, "sha256": f"{n:064x}", "path": path} for c in own]}
        yield "item.published", sent, (), ()


def wait_for(out: Path) -> str:
    """The address that the server printed."""
    for _ in range(300):
        if found := re.search(r"http://127\.0\.0\.1:\d+", out.read_text()):
            return found[0]
        time.sleep(0.1)
    raise SystemExit(out.read_text())


def alone(address: str, held: int) -> list[str]:
    """Time every page, asked for by one person. Returns those that are too slow."""
    http, slow = httpx.Client(base_url=address, timeout=60), []
    page = http.get("/login").text
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    http.post("/login", data={"csrf": csrf[1] if csrf else "", "name": "bench", "password": PASSWORD})
    print("\n| page | median | slowest of 15 |\n|---|---|---|")
    for name, path in PAGES.items():
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            answer = http.get(path.format(film=held, held=held - 50))
            times.append(time.perf_counter() - started)
            if answer.status_code != 200:
                raise SystemExit(f"{path}: {answer.status_code}")
        median = statistics.median(times)
        slow += [name] if median >= TARGET else []
        print(f"| {name} | {median * 1000:.0f} ms | {max(times) * 1000:.0f} ms |")
    return slow


def together(address: str, held: int, users: int, seconds: int, home: Path) -> None:
    """Let so many people walk through the pages at once, with locust."""
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(Path(__file__).with_name("console_users.py")),
        "--headless",
        "--only-summary",
        "-u",
        str(users),
        "-r",
        str(users),
        "-t",
        f"{seconds}s",
        "-H",
        address,
        "--csv",
        str(home / "load"),
    ]
    subprocess.run(command, env={**os.environ, "BENCH_HELD": str(held)}, capture_output=True, check=False)
    with (home / "load_stats.csv").open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    print(f"\n{users} people at once, a page every 1 to 3 s each:\n")
    print("| page | requests | failed | median | 95 % |\n|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r['Name']} | {r['Request Count']} | {r['Failure Count']} | {r['Median Response Time']} ms | "
            f"{r['95%']} ms |"
        )


if __name__ == "__main__":
    sys.exit(main())
