"""What lies on the disk and what other processes see: modes of all files; no secret in logs, commands and variables."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.school import School, person

pytestmark = pytest.mark.attack

NAME = "Zebulon Quistorp"
OIDC = "oidc-secret-7f3a91"


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
            kind = "child" if b"pipeline.child" in command else "service"
            yield f"{kind} command", command
            yield f"{kind} variables", (folder / "environ").read_bytes()
        except (OSError, IndexError):  # it ended meanwhile
            continue


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, weights: Path, samples: Path) -> Watched:
    one = Watched(tmp_path_factory.mktemp("rest") / "s", {"BEELDWACHT_OIDC_SECRET": OIDC})
    said = str(one.register([person("P1") | {"name": NAME}], {"P1": [samples / "obama.jpg"]}))
    one.code = one.json("account", "add", "officer", "--role", "officer")["code"]
    (one.inbox / "day").mkdir()
    for n in range(2):
        Image.open(samples / "obama2.jpg").convert("RGB").resize((600 + n, 700)).save(one.inbox / "day" / f"{n}.jpg")
    (one.inbox / "day" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture \xff\xd9")
    one.seen = {}
    one.start()
    assert one.service
    end = time.monotonic() + 120
    while time.monotonic() < end and len(list(one.publish.rglob("*.jpg"))) < 4:
        for what, found in processes(one.service.pid):
            one.seen[what] = one.seen.get(what, b"") + found
        time.sleep(0.1)
    one.wait(3)
    one.stop()
    nowhere = str(one.home / "x")
    for failing in (["item", "show", "999"], ["person", "export", "P1", "--to", "/proc/nowhere"],
                    ["restore", "/nowhere", "--to", nowhere, "--no-removals"]):  # fmt: skip
        done = one.run(*failing, ok=False)
        said += done.stdout + done.stderr
    one.said = said.encode() + (one.home / "service.err").read_bytes()
    return one


def secrets_of(school: Watched) -> list[bytes]:
    found = [OIDC.encode(), school.code.encode()]
    for key in (school.home / "keys").iterdir():
        text = key.read_bytes().strip()
        found += [text, text.partition(b":")[2]]
    assert len(found) >= 8, "the keys of the templates, of the originals and of the log"
    return found


def test_no_secret_and_no_name_stands_in_a_log_or_on_a_screen(school: Watched) -> None:
    logs = [p.read_bytes() for p in (school.home / "log").iterdir() if p.is_file()]
    assert b"item.decided" in b"".join(logs)
    database = b"".join(p.read_bytes() for p in (school.home / "data").iterdir() if p.is_file())
    assert not any(s in database for s in secrets_of(school))
    for text in [*logs, school.said]:
        assert not any(s in text for s in [*secrets_of(school), NAME.encode(), b"Zebulon", b"Quistorp"])
        assert b"Traceback" not in text


def test_no_secret_is_in_a_command_and_none_reaches_a_child(school: Watched) -> None:
    assert set(school.seen) == {f"{k} {w}" for k in ("service", "child") for w in ("command", "variables")}
    assert b"pipeline.child" in school.seen["child command"]
    for what, found in school.seen.items():
        for secret in [*secrets_of(school), NAME.encode(), b"beeldwacht-key-1"]:
            given = secret == OIDC.encode() and what == "service variables"  # by whoever started the service
            assert given or secret not in found, what
    assert b"BEELDWACHT" not in school.seen["child variables"] and b"HOME=" not in school.seen["child variables"]


def test_only_the_service_reads_what_is_its_own_and_only_the_group_what_is_published(school: Watched) -> None:
    modes = {p: stat.S_IMODE(p.lstat().st_mode) for p in school.home.rglob("*")}
    for name in ("vault", "work", "data", "log", "keys"):
        assert modes[school.home / name] == 0o700, name
    counted = 0
    for path, mode in modes.items():
        top = path.relative_to(school.home).parts[0]
        if top in {"vault", "keys"} or path.name.startswith("beeldwacht.db"):
            counted += 1
            assert mode & 0o077 == 0, (path, oct(mode))
        if top in {"publish", "quarantine"}:
            counted += 1
            assert mode & 0o027 == 0, (path, oct(mode))
        if top not in {"register", "inbox"} and path.name not in {"beeldwacht.toml", "service.err"}:
            assert mode & 0o007 == 0, (path, oct(mode))
    assert counted > 12
    originals = list((school.home / "vault").rglob("*.sealed"))
    assert len(originals) == 3 and all(modes[p] == 0o400 for p in originals)
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
