"""OneRoster 1.2, joined with a consent sheet: real zip files, and a real HTTP server with OAuth2 and pages."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from consent_sync.loaded import LoadedRegister, RegisterError
from consent_sync.loader import Spec, load_spec
from consent_sync.parsing.table import Translation
from pipeline.domain.types import Medium, Period, Reason, Role
from pipeline.rules.verdicts import may_in

ON = date(2026, 11, 1)
USERS = [
    {
        "sourcedId": "s1",
        "status": "active",
        "givenName": "Zoë",
        "familyName": "de Wit",
        "username": "zwit",
        "identifier": "1001",
        "agents": ["g1", "g2", "t1"],
        "role": "student",
    },
    {
        "sourcedId": "s2",
        "status": "active",
        "givenName": "Tom",
        "familyName": "Bos",
        "username": "tbos",
        "identifier": "1002",
        "agents": [],
        "role": "student",
    },
    {
        "sourcedId": "s3",
        "status": "tobedeleted",
        "givenName": "Ex",
        "familyName": "Leerling",
        "username": "ex",
        "identifier": "1003",
        "agents": [],
        "role": "student",
    },
    {
        "sourcedId": "g1",
        "status": "active",
        "givenName": "Ans",
        "familyName": "de Wit",
        "username": "g1",
        "identifier": "9001",
        "agents": [],
        "role": "parent",
    },
    {
        "sourcedId": "g2",
        "status": "active",
        "givenName": "Bo",
        "familyName": "Bos",
        "username": "g2",
        "identifier": "9002",
        "agents": [],
        "role": "guardian",
    },
    {
        "sourcedId": "t1",
        "status": "active",
        "givenName": "Juf",
        "familyName": "Jo",
        "username": "jo",
        "identifier": "5001",
        "agents": [],
        "role": "teacher",
    },
]
CLASSES = [{"sourcedId": "c1", "status": "active", "title": "Groep 3", "classCode": "3A"}]
ENROLMENTS = [
    {"sourcedId": "e1", "status": "active", "user": "s1", "class": "c1", "beginDate": "2026-08-01", "endDate": ""},
    {"sourcedId": "e2", "status": "active", "user": "s2", "class": "c1", "beginDate": "", "endDate": ""},
]
BORN = [
    {"sourcedId": "s1", "status": "active", "birthDate": "2016-03-05"},
    {"sourcedId": "s2", "status": "active", "birthDate": "2016-04-05"},
]
SHEET = (
    (
        "person_id",
        "guardian_id",
        "signed_by",
        "signed_on",
        "form",
        "matching",
        "photo_school",
        "valid_until",
        "withdrawn_on",
    ),
    ("1001", "9001", "parent", "2026-09-01", "f.pdf", "ja", "ja", "", ""),
    ("1001", "9002", "guardian", "2026-09-01", "f.pdf", "ja", "ja", "", ""),
    ("1002", "5001", "parent", "2026-09-01", "f.pdf", "ja", "ja", "", ""),
    ("7777", "", "parent", "2026-09-01", "f.pdf", "ja", "ja", "", ""),
)


def sheet(folder: Path, rows: tuple[tuple[str, ...], ...] = SHEET) -> Spec:
    (folder / "f.pdf").write_bytes(b"%PDF-1.4")
    with (folder / "consents.csv").open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows(rows)
    return Spec("csv", {"file": "consents.csv"}, root=folder, translation=Translation())


def text(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def files(**change: str) -> dict[str, str]:
    users = [
        {k: v for k, v in u.items() if k not in {"agents", "role"}} | {"agentSourcedIds": ",".join(u["agents"])}
        for u in USERS
    ]
    roles = [
        {
            "sourcedId": f"r{n}",
            "status": "active",
            "userSourcedId": u["sourcedId"],
            "roleType": "primary",
            "role": u["role"],
        }
        for n, u in enumerate(USERS)
    ]
    enrolments = [{**e, "userSourcedId": e["user"], "classSourcedId": e["class"]} for e in ENROLMENTS]
    return {
        "manifest.csv": "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\nfile.users,bulk\n",
        "users.csv": text(users),
        "roles.csv": text(roles),
        "classes.csv": text(CLASSES),
        "enrollments.csv": text(enrolments),
        "demographics.csv": text(BORN),
        **change,
    }


def pack(folder: Path, content: dict[str, str]) -> Spec:
    with zipfile.ZipFile(folder / "oneroster.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in content.items():
            z.writestr(name, data)
    return Spec("oneroster_csv", {"file": "oneroster.zip", "person_id": "identifier"}, root=folder, sheet=sheet(folder))


# --- the service ----------------------------------------------------------------------------------------------


class Service(BaseHTTPRequestHandler):
    """A OneRoster 1.2 service: a token for who knows the secret, then pages of records."""

    mode: ClassVar[str] = ""
    asked: ClassVar[list[str]] = []

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        basic = b64decode(self.headers.get("Authorization", "Basic Og==").split()[1]).decode()
        good = (
            basic == "beeldwacht:geheim"
            and body["grant_type"] == ["client_credentials"]
            and "roster.readonly" in body["scope"][0]
        )
        if self.path != "/token" or not good:
            self.answer(401, {"error": "invalid_client"})
            return
        self.answer(200, {"access_token": "T0KEN", "token_type": "Bearer", "expires_in": 3600})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        kind = parts.path.rsplit("/", 1)[-1]
        type(self).asked.append(self.path)
        if self.headers.get("Authorization") != "Bearer T0KEN":
            self.answer(401, {})
            return
        if self.mode == "html":
            self.answer(200, "<html>log in</html>")
            return
        if self.mode == "fails" and "offset=2" in self.path:
            self.answer(500, {})
            return
        query = parse_qs(parts.query)
        limit, offset = int(query["limit"][0]), int(query["offset"][0])
        records = self.records()[kind]
        page = records[:limit] if self.mode == "stuck" else records[offset : offset + limit]
        total = len(records) + (1 if self.mode == "short" else 0)
        self.answer(200, {kind: page}, {} if self.mode in {"uncounted", "stuck"} else {"X-Total-Count": str(total)})

    def records(self) -> dict[str, list[dict[str, Any]]]:
        users = [
            {
                **u,
                "role": None,
                "roles": [{"roleType": "primary", "role": u["role"], "org": {"sourcedId": "o1"}}],
                "agents": [{"sourcedId": a, "type": "user"} for a in u["agents"]],
            }
            for u in USERS
        ]
        enrolments = [{**e, "user": {"sourcedId": e["user"]}, "class": {"sourcedId": e["class"]}} for e in ENROLMENTS]
        return {"users": users, "classes": CLASSES, "enrollments": enrolments, "demographics": BORN}

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def url() -> Iterator[str]:
    Service.mode, Service.asked = "", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def rest(folder: Path, url: str, word: str = "geheim", **more: Any) -> Spec:
    (folder / "secret").write_text(word + "\n")
    options = {
        "url": f"{url}/ims/oneroster/rostering/v1p2",
        "token_url": f"{url}/token",
        "client_id": "beeldwacht",
        "client_secret_file": "secret",
        "person_id": "identifier",
        "page_size": 2,
        **more,
    }
    return Spec("oneroster_rest", options, root=folder, sheet=sheet(folder))


# --- what both deliver ----------------------------------------------------------------------------------------


@pytest.fixture(params=["zip", "rest"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> Spec:
    if request.param == "zip":
        return pack(tmp_path, files())
    return rest(tmp_path, request.getfixturevalue("url"))


def why(register: LoadedRegister, person_id: str, on: date = ON) -> Reason:
    return may_in(register.register(1), person_id, Medium.PHOTO, "school", on).reason


def test_people_guardians_classes_and_their_consents(spec: Spec) -> None:
    register = load_spec(spec, on=ON)
    assert set(register.people) == {"1001", "1002", "9001", "9002", "5001"}
    zoe = register.people["1001"]
    assert (zoe.name, zoe.role, zoe.birth_date, zoe.guardians) == (
        "Zoë de Wit",
        Role.PUPIL,
        date(2016, 3, 5),
        ("9001", "9002"),
    )
    assert (zoe.groups, zoe.periods) == (("3A",), (Period("3A", date(2026, 8, 1), None),))
    assert register.people["9001"].role is Role.GUARDIAN
    assert register.people["5001"].role is Role.EMPLOYEE
    assert why(register, "1001") is Reason.CONSENT
    assert why(register, "1002") is Reason.WRONG_SIGNER  # a teacher is nobody's guardian
    assert why(register, "9001") is Reason.SILENT
    assert [(p.row, p.person_id) for p in register.problems] == [(5, "7777")]


def test_one_guardian_says_no(spec: Spec, tmp_path: Path) -> None:
    rows = (*SHEET[:2], (*SHEET[2][:6], "nee", "", ""))
    register = load_spec(replace(spec, sheet=sheet(tmp_path, rows)), on=ON)
    assert why(register, "1001") is Reason.GUARDIANS_DIFFER


def test_a_sheet_that_does_not_say_who_signed(spec: Spec, tmp_path: Path) -> None:
    rows = tuple(r[:1] + r[2:] for r in (SHEET[0], SHEET[1], SHEET[3]))
    register = load_spec(replace(spec, sheet=sheet(tmp_path, rows)), on=ON)
    assert [why(register, p) for p in ("1001", "1002")] == [Reason.CONSENT, Reason.CONSENT]


def test_the_sheet_may_protect_people(spec: Spec, tmp_path: Path) -> None:
    rows = ((*SHEET[0], "protected"), (*SHEET[3], "ja"))
    assert load_spec(replace(spec, sheet=sheet(tmp_path, rows)), on=ON).people["1002"].protected


def test_a_cut_sheet_shows_nobody_more(spec: Spec, tmp_path: Path) -> None:
    sheet(tmp_path)
    data = (tmp_path / "consents.csv").read_bytes()
    whole = load_spec(spec, on=ON)
    for end in range(len(data) - 1, 120, -7 if spec.source == "oneroster_csv" else -60):
        (tmp_path / "consents.csv").write_bytes(data[:end])
        try:
            cut = load_spec(spec, on=ON)
        except RegisterError:
            continue
        shown = {p for p in cut.people if why(cut, p) is Reason.CONSENT}
        assert shown <= {p for p in whole.people if why(whole, p) is Reason.CONSENT}


# --- zip ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"manifest.csv": "propertyName,value\nfile.users,delta\n"}, "delta"),
        ({"users.csv": "sourcedId,status\n1,active\n"}, "givenName"),
        ({"users.csv": "sourcedId,givenName,familyName\n1,a\n"}, "cells"),
        ({"users.csv": 'sourcedId,givenName,familyName\n1,"a,b\n'}, "CSV"),
        ({"users.csv": "sourcedId,givenName,familyName\n"}, "nobody"),
    ],
)
def test_a_zip_that_is_not_whole(tmp_path: Path, change: dict[str, str], message: str) -> None:
    with pytest.raises(RegisterError, match=message):
        load_spec(pack(tmp_path, files(**change)), on=ON)


def test_a_zip_without_users(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match=r"users\.csv"):
        load_spec(pack(tmp_path, {k: v for k, v in files().items() if k != "users.csv"}), on=ON)


def test_a_zip_cut_at_any_byte(tmp_path: Path) -> None:
    spec = pack(tmp_path, files())
    data = (tmp_path / "oneroster.zip").read_bytes()
    for end in range(0, len(data), 97):
        (tmp_path / "oneroster.zip").write_bytes(data[:end])
        with pytest.raises(RegisterError):
            load_spec(spec, on=ON)


def test_a_zip_bomb(tmp_path: Path) -> None:
    bomb = files()
    bomb["users.csv"] += "0" * 60_000_000
    with pytest.raises(RegisterError, match="zip bomb"):
        load_spec(pack(tmp_path, bomb), on=ON)
    assert (tmp_path / "oneroster.zip").stat().st_size < 100_000


def test_a_zip_that_lies_about_its_size(tmp_path: Path) -> None:
    spec = pack(tmp_path, files())
    path = tmp_path / "oneroster.zip"
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as z:
        true = z.getinfo("users.csv").file_size
    small = (5).to_bytes(4, "little")
    data = data.replace(true.to_bytes(4, "little"), small)
    path.write_bytes(data)
    with pytest.raises(RegisterError):
        load_spec(spec, on=ON)


# --- REST -----------------------------------------------------------------------------------------------------


def test_pages_are_read_to_the_end(tmp_path: Path, url: str) -> None:
    load_spec(rest(tmp_path, url), on=ON)
    assert sum("/users?" in path for path in Service.asked) == 3
    Service.mode = "uncounted"
    assert len(load_spec(rest(tmp_path, url), on=ON).people) == 5


@pytest.mark.parametrize(
    ("mode", "message"),
    [("fails", "500"), ("html", "not what OneRoster"), ("short", "ended after 6 of 7"), ("stuck", "same page")],
)
def test_a_service_that_stops_half_way(tmp_path: Path, url: str, mode: str, message: str) -> None:
    Service.mode = mode
    with pytest.raises(RegisterError, match=message):
        load_spec(rest(tmp_path, url), on=ON)


def test_a_wrong_secret(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RegisterError, match="invalid_client") as caught:
        load_spec(rest(tmp_path, url, word="raden"), on=ON)
    assert "raden" not in str(caught.value)
    with pytest.raises(RegisterError, match="BEELDWACHT_ONEROSTER_SECRET"):
        load_spec(rest(tmp_path, url, client_secret_file=None), on=ON)
    monkeypatch.setitem(os.environ, "BEELDWACHT_ONEROSTER_SECRET", "geheim")
    assert load_spec(rest(tmp_path, url, client_secret_file=None), on=ON).people


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="ConnectError"):
        load_spec(rest(tmp_path, "http://127.0.0.1:1"), on=ON)


def test_a_service_without_encryption_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="https"):
        load_spec(rest(tmp_path, "http://oneroster.example"), on=ON)
