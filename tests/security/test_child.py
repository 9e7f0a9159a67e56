"""Code that took over the reader of media finds nothing: no register, no key, nobody's photos, no network."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import config
from pipeline.app import App
from pipeline.files.beneath import Folder
from pipeline.reader import confinement, landlock, seccomp
from pipeline.sandbox import process
from pipeline.sandbox.client import MediaClient
from pipeline.service.service import media_options
from tests.support.school import School

FILTERED = {
    "a child in namespaces of its own",
    "a child by clone3",
    "a file system by fsopen",
    "the settings of a file system",
    "a mount by fsmount",
    "other settings of a mount",
    "faults of memory",
    "programs in the kernel",
    "shared memory that outlives it",
    "a file in memory",
}
HOSTILE = Path(__file__).with_name("hostile.py")
KERNEL = landlock.version() >= 6 and os.uname().machine == "x86_64"
needs_kernel = pytest.mark.skipif(not KERNEL, reason="needs Landlock version 6 and seccomp for x86_64")


@contextlib.contextmanager
def listeners(folder: Path) -> Iterator[dict[str, object]]:
    """Somebody who listens on every kind of socket that the child might try; all inside this machine."""
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        named, abstract = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
        named.bind(str(folder / "socket"))
        abstract.bind(f"\0beeldwacht-{os.getpid()}")
        for one in (named, abstract):
            one.listen()
        yield {"tcp": tcp.getsockname()[1], "unix": str(folder / "socket"), "abstract": f"beeldwacht-{os.getpid()}"}


@needs_kernel
def test_hostile_code_in_the_child_gets_nothing(
    tmp_path: Path, weights: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = School(tmp_path / "school")
    school.register([{"person_id": "obama"}], {"obama": [samples / "obama.jpg"]})
    application = App(config.load(school.home / "beeldwacht.toml"))
    vault = application.context.vault
    with Folder.at(samples) as folder:
        sha256 = vault.arrivals.take(folder, "biden.jpg", 1 << 30).sha256
    (school.publish / "school").mkdir(exist_ok=True)
    (school.publish / "school" / "published.jpg").write_bytes(b"published")
    (school.home / "work" / "of-another.partial").write_bytes(b"rendered")
    stack = contextlib.ExitStack()
    targets = {
        "register": school.home / "register" / "register.csv",
        "form": school.home / "register" / "forms" / "obama.pdf",
        "portrait": school.home / "register" / "portraits" / "obama" / "0.jpg",
        "key": school.home / "keys" / "templates.key",
        "database": next((school.home / "data").glob("*.db")),
        "configuration": school.home / "beeldwacht.toml",
        "sealed original": next((school.home / "vault").rglob(f"{sha256}*")),
        "opened original": stack.enter_context(vault.opened(sha256)),
        "published file": school.publish / "school" / "published.jpg",
        "work of another": school.home / "work" / "of-another.partial",
        "list of users": Path("/etc/passwd"),
    }
    before = {name: path.read_bytes() for name, path in targets.items()}
    # The real start of the child, up to the limits; then the hostile code instead of the reader of media.
    program = f"import runpy; from pipeline.reader import main; main.serve = runpy.run_path({str(HOSTILE)!r})['serve']"
    monkeypatch.setattr(process, "_CHILD", ("-c", f"{program}; main.main()"))
    child = MediaClient(media_options(application.context))
    stack.callback(child.close)
    with stack:
        child.start()
        assert set(confinement.WANTED) <= set(child.confined)
        addresses = stack.enter_context(listeners(tmp_path))
        request = {"op": "x", "targets": {n: str(p) for n, p in targets.items()}, **addresses}
        found = child._ask_about(samples / "obama2.jpg", request, seconds=120)
        assert {name: path.read_bytes() for name, path in targets.items()} == before
    application.close()
    allowed = {n: v for n, v in found.items() if n.startswith("allowed")}
    assert len(allowed) == 5 and all(v.startswith("got") for v in allowed.values()), allowed
    reached = {n: v for n, v in found.items() if n not in allowed and not v.startswith("refused")}
    assert reached == {}
    by_filter = {
        n: v for n, v in found.items() if n in FILTERED and "not permitted" not in v and "not implemented" not in v
    }
    assert by_filter == {}, "refused for another reason than the filter"
    assert len(found) > 130
    assert not list(school.home.rglob("planted")) and not Path("/tmp/planted").exists()  # noqa: S108
    assert not [p for p in (school.home / "work").iterdir() if p.name.startswith(".tray-")]


def test_the_limits_are_named_and_missing_ones_are_told(tmp_path: Path, weights: Path) -> None:
    school = School(tmp_path / "school", matching=False)
    lines = {f["part"]: f for f in school.json("doctor", ok=False)}
    line = lines["reader of media"]
    assert line["ok"] == all(name in line["what"] for name in confinement.WANTED)
    assert line["ok"] or line["remedy"]


def test_the_filter_is_what_refuses_sockets() -> None:
    """A process may open one; the same process, with the filter in force, may not."""
    code = (
        "import ctypes, socket\nfrom pipeline.reader import seccomp\nlibc = ctypes.CDLL(None)\n"
        "socket.socket(socket.AF_UNIX).close()\nlibc.prctl(38, 1, 0, 0, 0)\nheld = seccomp.refuse()\n"
        "try:\n    socket.socket(socket.AF_UNIX).close()\n    print(held, 'open')\n"
        "except PermissionError:\n    print(held, 'refused')\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    expected = "('no-sockets',) refused" if seccomp.program(os.uname().machine) else "() open"
    assert done.stdout.strip() == expected
