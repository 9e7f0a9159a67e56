"""What lies on the disk and what other processes see: modes of all files; no secret in logs, commands and variables."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.school import School, person, until

pytestmark = pytest.mark.attack

NAME = "Zebulon Quistorp"
VISITOR = "Kwispelina"
"""A child that is in no register, whose name stands in the names of files and of an event."""
OIDC = "oidc-secret-7f3a91"
DATABASE = "db-password-51c0de"
FILES = {"webhook.token": "hook-token-a91b", "smtp.password": "smtp-password-c3d077", "metrics.token": "scrape-19ab5e"}
ADDRESS = "hook-address-77e1f0"
"""Chat services give an address that is itself a secret."""
CONFIGURED = {
    "BEELDWACHT_OIDC_SECRET": OIDC,
    "BEELDWACHT_ALARMS__WEBHOOK": f"http://127.0.0.1:1/{ADDRESS}",
    "BEELDWACHT_ALARMS__WEBHOOK_TOKEN_FILE": "keys/webhook.token",
    "BEELDWACHT_ALARMS__MAIL_TO": '["board@school.example"]',
    "BEELDWACHT_ALARMS__SMTP_PORT": "1",
    "BEELDWACHT_ALARMS__SMTP_USER": "beeldwacht",
    "BEELDWACHT_ALARMS__SMTP_PASSWORD_FILE": "keys/smtp.password",
    "BEELDWACHT_ALARMS__EVERY_SECONDS": "1",
    "BEELDWACHT_ALARMS__DISK_MIB": "1000000000",
    "BEELDWACHT_METRICS__TOKEN_FILE": "keys/metrics.token",
}


class Watched(School):
    """An installation whose processes were looked at while they worked."""

    seen: dict[str, bytes]
    said: bytes
    code: str


def processes(parent: int) -> Iterator[tuple[str, bytes]]:
    """Command lines of a process and all below it, and the variables of those below it."""
    below = {parent}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda p: int(p.name)):
        try:
            stats = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(folder.name) != parent and int(stats[1]) not in below:
                continue
            below.add(int(folder.name))
            command = (folder / "cmdline").read_bytes()  # until its exec a child is the service still
            kind = "child" if b"pipeline.reader.main" in command else "service"
            yield f"{kind} command", command
            yield f"{kind} variables", (folder / "environ").read_bytes()
        except (OSError, IndexError):  # it ended meanwhile
            continue


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> Watched:
    one = Watched(tmp_path_factory.mktemp("rest") / "s", CONFIGURED)
    (one.home / "keys").mkdir(mode=0o700, exist_ok=True)
    for name, secret in FILES.items():
        (one.home / "keys" / name).write_text(f"{secret}\n")
        (one.home / "keys" / name).chmod(0o400)
    said = str(one.register([person("P1") | {"name": NAME}], {"P1": [samples / "obama.jpg"]}))
    one.code = one.json("account", "add", "officer", "--role", "officer")["code"]
    (one.inbox / "day").mkdir()
    for n in range(2):
        Image.open(samples / "obama2.jpg").convert("RGB").resize((600 + n, 700)).save(one.inbox / "day" / f"{n}.jpg")
    (one.inbox / "day" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture \xff\xd9")
    party = one.inbox / f"Party of {VISITOR}"
    party.mkdir()
    (party / "event.toml").write_text(f'title = "{VISITOR} is six"\n')
    Image.open(samples / "obama2.jpg").convert("RGB").resize((602, 700)).save(party / f"{VISITOR} 1.jpg")
    (party / f"{VISITOR} 2.jpg").write_bytes((party / f"{VISITOR} 1.jpg").read_bytes())  # the same again
    (party / f"{VISITOR}.mp4").write_bytes(b"no film")
    (party / f"{VISITOR} 3.jpg").symlink_to("/etc/passwd")
    one.seen = {}
    one.start()
    assert one.service
    end = time.monotonic() + 120
    while time.monotonic() < end and len(list(one.publish.rglob("*.jpg"))) < 6:
        for what, found in processes(one.service.pid):
            one.seen[what] = one.seen.get(what, b"") + found
        time.sleep(0.1)
    one.wait(5)
    until(lambda: not list(party.glob("*.jpg")), lambda: sorted(party.iterdir()))
    until(lambda: "alarm was not delivered by mail" in (one.home / "service.err").read_text())
    one.stop()
    nowhere = str(one.home / "x")
    one.run("recall", "P1", "--apply", "--by", "test")
    said += one.run("log").stdout
    said += one.run("alarms", "test", ok=False).stderr
    one.env["BEELDWACHT_DATABASE__URL"] = f"postgresql+psycopg://school:{DATABASE}@127.0.0.1:1/school"
    for failing in (["status"], ["doctor"], ["run"], ["backup", nowhere]):
        done = one.run(*failing, ok=False)
        assert done.returncode == 1, failing
        said += done.stdout + done.stderr
    del one.env["BEELDWACHT_DATABASE__URL"]
    for failing in (
        ["item", "show", "999"],
        ["person", "export", "P1", "--to", "/proc/nowhere"],
        ["restore", "/nowhere", "--to", nowhere, "--no-removals"],
    ):
        done = one.run(*failing, ok=False)
        said += done.stdout + done.stderr
    one.said = said.encode() + (one.home / "service.err").read_bytes() + (one.home / "service.out").read_bytes()
    return one


def secrets_of(school: Watched) -> list[bytes]:
    found = [OIDC.encode(), school.code.encode(), DATABASE.encode(), ADDRESS.encode()]
    for key in (school.home / "keys").iterdir():
        text = key.read_bytes().strip()
        found += [text, text.partition(b":")[2] or text]
    assert len(found) == 4 + 2 * 6, "the keys of templates, originals and log, and three files with secrets"
    return found


def test_no_secret_and_no_name_stands_in_a_log_or_on_a_screen(school: Watched) -> None:
    logs = [p.read_bytes() for p in (school.home / "log").iterdir() if p.is_file()]
    assert b"item.decided" in b"".join(logs)
    database = b"".join(p.read_bytes() for p in (school.home / "data").iterdir() if p.is_file())
    assert not any(s in database for s in secrets_of(school))
    for text in [*logs, school.said]:
        people = [NAME.encode(), b"Zebulon", b"Quistorp", VISITOR.encode()]
        found = [s for s in [*secrets_of(school), *people] if s in text]
        assert not found, (found, text[text.index(found[0]) - 300 :][:600])
        assert b"Traceback" not in text


def test_no_name_of_a_file_or_event_stands_in_the_log_and_each_entry_leads_to_it(school: Watched) -> None:
    entries = school.log()
    kinds = {e["kind"] for e in entries}
    assert kinds >= {
        "item.arrived",
        "item.duplicate",
        "item.decided",
        "item.published",
        "item.rejected",
        "inbox.refused",
        "item.recalled",
        "item.removed",
    }
    assert VISITOR not in str(entries)
    item = next(e["item"] for e in entries if e["kind"] == "item.duplicate")
    assert school.json("item", "show", str(item))["name"] == f"{VISITOR} 1.jpg"
    refused = next(e["body"] for e in entries if e["kind"] == "inbox.refused")
    beside = [p for p in (school.home / "quarantine").rglob("*.reason.txt") if refused["mark"] in p.read_text()]
    assert [p.name for p in beside] == [f"{VISITOR} 3.jpg.reason.txt"]


def test_no_secret_is_in_a_command_and_none_reaches_a_child(school: Watched) -> None:
    assert set(school.seen) == {f"{k} {w}" for k in ("service", "child") for w in ("command", "variables")}
    assert b"pipeline.reader.main" in school.seen["child command"]
    for what, found in school.seen.items():
        for secret in [*secrets_of(school), NAME.encode(), b"beeldwacht-key-1"]:
            given = secret in {OIDC.encode(), ADDRESS.encode()} and what == "service variables"  # by whoever started it
            assert given or secret not in found, what
    assert b"BEELDWACHT" not in school.seen["child variables"] and b"HOME=" not in school.seen["child variables"]


def test_only_the_service_reads_what_is_its_own_and_only_the_group_what_is_published(school: Watched) -> None:
    modes = {p: stat.S_IMODE(p.lstat().st_mode) for p in school.home.rglob("*")}
    for name in ("vault", "work", "data", "log", "keys"):
        assert modes[school.home / name] == 0o700, name
    counted = 0
    for path, mode in modes.items():
        if path.is_symlink():  # its modes are nobody's: what was put aside is the link, and it is not followed
            assert path.parts[-3] == "quarantine"
            continue
        top = path.relative_to(school.home).parts[0]
        if top in {"vault", "keys"} or path.name.startswith("beeldwacht.db"):
            counted += 1
            assert mode & 0o077 == 0, (path, oct(mode))
        if top in {"publish", "quarantine"}:
            counted += 1
            assert mode & 0o027 == 0, (path, oct(mode))
        if top not in {"register", "inbox"} and path.name not in {"beeldwacht.toml", "service.err", "service.out"}:
            assert mode & 0o007 == 0, (path, oct(mode))
    assert counted > 12
    originals = list((school.home / "vault").rglob("*.sealed"))
    assert len(originals) == 5 and all(modes[p] == 0o400 for p in originals)
    assert all(modes[p] == (0o640 if p.is_file() else 0o750) for p in school.publish.rglob("*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_else_on_the_machine_reads_nothing(school: Watched) -> None:
    for folder in (school.home, *school.home.parents):
        if str(folder).startswith("/tmp/"):  # noqa: S108 - where pytest keeps its folders
            folder.chmod(0o755)
    pid = os.fork()
    if pid == 0:  # nobody of no group
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        open_ = 0
        for path in school.home.rglob("*"):
            if path.relative_to(school.home).parts[0] in {"vault", "work", "data", "log", "keys", "publish"}:
                open_ += os.access(path, os.R_OK)
        os._exit(min(open_, 100))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_doctor_tries_the_key_of_the_originals_and_misses_a_copy_of_the_log(school: Watched, tmp_path: Path) -> None:
    def said() -> dict[str, tuple[bool, str]]:
        return {f["part"]: (f["ok"], f["what"]) for f in school.json("doctor", ok=False)}

    key, config = school.home / "keys" / "originals.key", school.home / "beeldwacht.toml"
    well = said()
    assert well["originals"][0] and "opens item" in well["originals"][1]
    assert well["copy of the log"][0] and "none elsewhere" in well["copy of the log"][1]
    before = config.read_text()
    key.chmod(0o440)
    config.write_text(before.replace('# anchor = "/mnt/board/beeldwacht"', f'anchor = "{tmp_path / "away"}"'))
    open_ = said()
    assert not open_["originals"][0] and "others may read" in open_["originals"][1]
    assert not open_["copy of the log"][0]
    key.rename(tmp_path / "k")
    try:
        assert not said()["originals"][0]
        assert not key.exists()  # none is made in its place
    finally:
        (tmp_path / "k").rename(key)
        key.chmod(0o400)
        config.write_text(before)
