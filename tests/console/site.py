"""The console of a real installation: its server as a process, and people who sign in to it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping

import httpx

from tests.school import School

ROLES = ("uploader", "communicator", "officer", "administrator")
PASSWORD = "a long enough sentence"  # noqa: S105 - of a test's own accounts
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class Visitor:
    """A browser without scripts: it keeps cookies, and sends along the token of the last page."""

    def __init__(self, address: str, language: str = "en") -> None:
        self.http = httpx.Client(base_url=address, follow_redirects=False, headers={"accept-language": language},
                                 timeout=60)  # fmt: skip
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
            [sys.executable, "-m", "pipeline.cli", command], cwd=school.home, text=True,
            env={**school.env, "BEELDWACHT_CONSOLE__PORT": "0", "BEELDWACHT_CONSOLE__ENABLED": "true", **(env or {})},
            stdout=self.output.open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.address = self._address()
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
        """Make an account; returns its one-time code."""
        flags = [x for r in roles for x in ("--role", r)]
        return str(json.loads(self.school.run("account", "add", name, *flags, "--json").stdout)["code"])

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
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


