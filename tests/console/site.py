"""The console of a real installation: its server as a process, and people who sign in to it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from pipeline.config import Console
from pipeline.console.auth import Auth
from pipeline.domain.lifecycle import SETTLED_STATES
from pipeline.log.chain import to_line
from pipeline.output import item_json
from pipeline.store import Store
from pipeline.store.accounts import AccountRole
from tests.support.school import School

ROLES = ("uploader", "communicator", "officer", "administrator")
PASSWORD = "a long enough sentence"  # noqa: S105 - of a test's own accounts
_ADDRESS = re.compile(r"https?://127\.0\.0\.1:\d+")


class Visitor:
    """A browser without scripts: it keeps cookies, and sends along the token of the last page."""

    def __init__(self, address: str, language: str = "en") -> None:
        self.http = httpx.Client(
            base_url=address, follow_redirects=False, headers={"accept-language": language}, timeout=60
        )
        self.csrf = ""

    def get(self, path: str, **values: object) -> httpx.Response:
        answer = self.http.get(path, **values)  # type: ignore[arg-type]
        if found := re.search(r'name="csrf" value="([0-9a-f]{64})"', answer.text if _is_page(answer) else ""):
            self.csrf = found[1]
        return answer

    def post(self, path: str, data: Mapping[str, object] | None = None, **values: object) -> httpx.Response:
        body = {"csrf": self.csrf, **(data or {})}
        return self.http.post(path, data=body, **values)  # type: ignore[arg-type]


def _is_page(answer: httpx.Response) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


class Site:
    """`beeldwacht run` with its console (or `serve`, the console alone), with one account per role."""

    def __init__(self, school: School, command: str = "run", env: Mapping[str, str] | None = None) -> None:
        self.school = school
        self.output = school.home / "console.out"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", command],
            cwd=school.home,
            text=True,
            env={**school.env, "BEELDWACHT_CONSOLE__PORT": "0", "BEELDWACHT_CONSOLE__ENABLED": "true", **(env or {})},
            stdout=self.output.open("w"),
            stderr=subprocess.STDOUT,
        )
        self.address = self._address()
        self.store = Store(f"sqlite:///{school.home / 'data' / 'beeldwacht.db'}")
        self._visitors: dict[tuple[str, str], Visitor] = {}

    def _address(self) -> str:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if found := _ADDRESS.search(self.output.read_text()):
                return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"the console did not start: {self.output.read_text()}")

    def visitor(self, language: str = "en") -> Visitor:
        """Somebody who has not signed in."""
        return Visitor(self.address, language)

    def account(self, name: str, *roles: str) -> str:
        """Make an account, as the command does; returns its one-time code."""
        self.store.accounts.add(datetime.now(UTC), "test", name, [AccountRole(r) for r in roles])
        return Auth(self.store, lambda: datetime.now(UTC), Console()).invite("test", name)

    def log(self, item: int | None = None) -> list[dict[str, Any]]:
        """The log, read from the database while the service writes it: a command for each look would take a second."""
        return [json.loads(to_line(e)) for e in self.store.journal.entries(item_id=item)]

    def item(self, number: int) -> dict[str, Any]:
        """An item with its newest verdicts."""
        found = self.store.items.get(number)
        assert found
        return item_json(found, self.store.items.verdict_rows(number))

    def number(self, name: str) -> int:
        """The number of the item whose file begins with this name."""
        return next(i.id for i in self.store.items.all() if i.name.startswith(name))

    def wait(self, count: int, seconds: float = 120) -> None:
        """Until so many items are settled, and none is on its way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            counts = self.store.items.counts()
            settled = sum(counts[s] for s in SETTLED_STATES)
            if settled >= count and settled == sum(counts.values()):
                return
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.2)
        raise AssertionError(f"not done in {seconds} s: {counts}")

    def as_(self, role: str, language: str = "en") -> Visitor:
        """Somebody of this role, signed in. Each role has one account, and keeps its session."""
        key = (role, language)
        if key in self._visitors:
            return self._visitors[key]
        one = self.visitor(language)
        known = any(r == role for r, _ in self._visitors)
        if known:
            one.get("/login")
            answer = one.post("/login", {"name": role, "password": PASSWORD})
        else:
            code = self.account(role, role)
            one.get(f"/welcome?code={code}")
            answer = one.post("/welcome", {"code": code, "name": role, "password": PASSWORD, "again": PASSWORD})
        assert answer.status_code == 303, answer.text
        one.get("/account")
        self._visitors[key] = one
        return one

    def close(self) -> None:
        self.store.close()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
