"""A loss of power takes what is not on the disk: the order of the system calls decides what is left (strace)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.support import school as installation
from tests.support.school import School

pytestmark = pytest.mark.attack

CALLS = "fsync,fdatasync,rename,renameat,renameat2,linkat,mkdir,mkdirat,unlink,unlinkat,pwrite64"
BY_DESCRIPTOR = {"fsync", "fdatasync", "pwrite64"}
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
_NAMED = re.compile(r'(?:(?:\d+|AT_FDCWD)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """One system call that succeeded: its thread, its name, and the files it names."""

    thread: int
    name: str
    files: tuple[str, ...]


def calls(trace: Path) -> list[Call]:
    """The calls in the order in which they ended."""
    found, started = [], {}
    for line in trace.read_text().splitlines():
        if line.endswith("<unfinished ...>"):
            started[line.split()[0]] = line.removesuffix("<unfinished ...>").rstrip()
            continue
        if again := _RESUMED.match(line):
            line = started.pop(again[1]) + again[3]  # noqa: PLW2901
        if (call := _LINE.match(line)) and int(call[4]) >= 0:
            own = _DESCRIPTOR.match(call[3]) if call[2] in BY_DESCRIPTOR else None
            named = _NAMED.findall(call[3])
            files = (own[1],) if own else tuple(str(Path(folder or ".", name)) for folder, name in named)
            found.append(Call(int(call[1]), call[2], files))
    return found


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt-get install strace)")
def test_what_a_row_says_is_on_the_disk_before_the_row(
    tmp_path: Path, weights: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = School(tmp_path / "s", matching=False)
    (school.inbox / "day").mkdir()
    Image.open(samples / "biden.jpg").convert("RGB").resize((200, 250)).save(school.inbox / "day" / "a.jpg")
    (school.inbox / "day" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture \xff\xd9")
    trace = tmp_path / "trace"
    tracer = ["strace", "-f", "-y", "-s", "300", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", str(trace)]
    monkeypatch.setattr(installation, "COMMAND", [*tracer, *installation.COMMAND])
    school.run("process", ok=False)  # one file is put aside
    made = calls(trace)
    assert school.published() == ["personal/day/a.jpg", "school/day/a.jpg"]
    renames = [n for n, c in enumerate(made) if c.name.startswith(("rename", "link")) and "/s/" in c.files[-1]]
    kinds = {"vault": 0, "publish": 0, "quarantine": 0}
    for n in renames:
        source, target = made[n].files
        kind = Path(target).relative_to(school.home).parts[0]
        if kind not in kinds or Path(target).name == ".beeldwacht-probe":
            continue
        kinds[kind] += 1
        assert any(c.name == "fsync" and c.files == (source,) for c in made[:n]), f"{source}: renamed before its fsync"
        after = [c for c in made[n + 1 :] if c.thread == made[n].thread]
        synced = next(i for i, c in enumerate(after) if c.name == "fsync" and c.files == (str(Path(target).parent),))
        row = next(i for i, c in enumerate(after) if any(f.endswith(".db-wal") for f in c.files))
        assert synced < row, f"{target}: a row was written before its folder was on the disk"
    assert kinds == {"vault": 3, "publish": 2, "quarantine": 2}  # in the vault also the id of its key
    for n, c in enumerate(made):
        if c.name.startswith("mkdir") and any(f"/s/{kind}/" in c.files[-1] for kind in kinds):
            after = [x for x in made[n + 1 :] if x.thread == c.thread]
            synced = next(i for i, x in enumerate(after) if x.files == (str(Path(c.files[-1]).parent),))
            row = next(i for i, x in enumerate(after) if any(f.endswith(".db-wal") for f in x.files))
            assert synced < row, f"{c.files[-1]}: made, and not brought to the disk before a row"
    for n, c in enumerate(made):
        if c.name.startswith("unlink") and "/s/inbox/" in c.files[-1]:
            own = [x for x in made[:n] if x.thread == c.thread]
            kept = max(i for i, x in enumerate(own) if x.name.startswith("rename") and "/s/vault/" in x.files[-1])
            rows = [x.name for x in own[kept:] if any(f.endswith(".db-wal") for f in x.files)]
            assert rows and rows[-1] in {"fsync", "fdatasync"}, "taken out of the inbox before its row was on the disk"
