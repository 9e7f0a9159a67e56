"""Code that took over the child: tries everything it should not reach, and says what it got. Run by test_child.py.

It runs in the real child, after the real `confine`, in place of the reader of media.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

_libc = ctypes.CDLL(None, use_errno=True)


def serve(options: dict[str, Any], source: TextIO, sink: TextIO) -> None:
    """Stands in for `pipeline.reader.main.serve`: greets, and answers one request with what every attempt came to."""
    sink.write(json.dumps({"ok": {"confined": options["confined"]}}) + "\n")
    sink.flush()
    for line in source:
        request = json.loads(line)
        found = {name: _tried(attempt) for name, attempt in attempts(request, options).items()}
        sink.write(json.dumps({"ok": found}) + "\n")
        sink.flush()


def _tried(attempt: Callable[[], object]) -> str:
    """What came of an attempt: "refused: ..." or "got: ..."."""
    try:
        return f"got: {attempt()!r:.80}"
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"refused: {error}"


def attempts(request: dict[str, Any], options: dict[str, Any]) -> dict[str, Callable[[], object]]:
    targets = {name: Path(path) for name, path in request["targets"].items()}
    parent, exchange = int(options["parent"]), Path(options["tray"])
    out = exchange / "out"
    found: dict[str, Callable[[], object]] = {}
    for name, path in targets.items():
        found[f"read {name}"] = lambda path=path: path.read_bytes()[:20]
        found[f"write {name}"] = lambda path=path: path.open("ab").close()
        found[f"delete {name}"] = path.unlink
        found[f"rename {name}"] = lambda path=path: path.rename(out / "mine")
        found[f"link {name}"] = lambda path=path: os.link(path, out / "link")
        found[f"chmod {name}"] = lambda path=path: path.chmod(0o777)
        found[f"list folder of {name}"] = lambda path=path: os.listdir(path.parent)  # noqa: PTH208
        found[f"add beside {name}"] = lambda path=path: (path.parent / "planted").write_bytes(b"x")
        found[f"cat {name}"] = lambda path=path: _run("cat", str(path))
        found[f"link to {name} in own folder"] = lambda path=path: (
            (out / "way").symlink_to(path),
            (out / "way").read_bytes(),
        )
    found |= {
        "write what it was given": lambda: Path(request["path"]).open("r+b").close(),
        "add to what it was given": lambda: (exchange / "in" / "x").write_bytes(b"x"),
        "write in the system's temporary folder": lambda: Path("/tmp/planted").write_bytes(b"x"),  # noqa: S108
        "change its own program": lambda: Path(__file__).open("ab").close(),
        "change a library": lambda: Path(json.__file__).open("ab").close(),
        "run what it wrote": lambda: _own_program(out),
        "memory of the service": lambda: Path(f"/proc/{parent}/mem").open("rb").close(),
        "environment of the service": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "open files of the service": lambda: os.listdir(f"/proc/{parent}/fd"),  # noqa: PTH208
        "files by way of the service's root": lambda: Path(f"/proc/{parent}/root/etc/hostname").read_bytes(),
        "trace the service": lambda: _call(101, 16, parent, 0, 0),
        "read the service's memory by system call": lambda: _read_memory(parent),
        "end the service": lambda: os.kill(parent, signal.SIGTERM),
        "namespaces of the service": lambda: os.open(f"/proc/{parent}/ns/net", os.O_RDONLY),
        "a user namespace of its own": lambda: _checked(_libc.unshare(0x10000000)),
        "change the root": lambda: os.chroot(out),
        "mount": lambda: _checked(_libc.mount(b"none", os.fsencode(out), b"tmpfs", 0, None)),
        "keys of the kernel": lambda: _call(250, 0, -3, 0),
        "io_uring": lambda: _call(425, 1, 0),
        "a child in namespaces of its own": lambda: _cloned(0x10000000 | 0x00020000 | signal.SIGCHLD),
        "a child by clone3": lambda: _call(435, 0, 0),
        "a file system by fsopen": lambda: _call(430, b"tmpfs", 0),
        "the settings of a file system": lambda: _call(431, -1, 0, 0, 0, 0),
        "a mount by fsmount": lambda: _call(432, -1, 0, 0),
        "another place for a mount": lambda: _call(429, -100, b".", -100, b"/", 0),
        "other settings of a mount": lambda: _call(442, -100, b".", 0, 0, 0),
        "faults of memory": lambda: _call(323, 0),
        "programs in the kernel": lambda: _call(321, 0, 0, 0),
        "counters of the processor": lambda: _call(298, 0, 0, -1, -1, 0),
        "shared memory that outlives it": lambda: _call(29, 0, 1 << 20, 0o1600),
        "a file in memory": lambda: os.memfd_create("x"),
        "more memory": lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)),
        "larger files": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40)),
        "more open files": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096)),
        "a core dump": lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)),
        "TCP": lambda: socket.create_connection(("127.0.0.1", request["tcp"]), 2).close(),
        "TCP over IPv6": lambda: socket.create_connection(("::1", request["tcp"]), 2).close(),
        "UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", request["tcp"])),
        "raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        "a Unix socket": lambda: socket.socket(socket.AF_UNIX).connect(request["unix"]),
        "an abstract Unix socket": lambda: socket.socket(socket.AF_UNIX).connect("\0" + request["abstract"]),
        "names of hosts": lambda: socket.getaddrinfo("localhost.example", 80),
        "the network by a program": lambda: _run(
            sys.executable, "-I", "-c", f"import socket; socket.create_connection(('127.0.0.1', {request['tcp']}), 2)"
        ),
        "variables": lambda: _none_left(
            set(os.environ) - {"LC_ALL", "LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
        ),
        "descriptors": lambda: _none_left(_foreign_descriptors()),
    }
    # What it may: without this the attempts above would prove nothing.
    found |= {
        "allowed: read what it was given": lambda: Path(request["path"]).read_bytes()[:5],
        "allowed: write in its own folder": lambda: (out / "mine").write_bytes(b"x"),
        "allowed: run a tool": lambda: _run("cat", str(Path(os.__file__))),
        "allowed: read the weights": lambda: next(Path(options["weights"]).glob("*.onnx")).read_bytes()[:4],
        "allowed: time": time.monotonic,
    }
    return found


def _cloned(flags: int) -> int:
    child = _call(56, flags, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return child


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True, timeout=20).stdout[:20]


def _own_program(out: Path) -> bytes:
    program = out / "program"
    with program.open("wb") as file:
        file.write(Path("/bin/true").read_bytes())
        os.fchmod(file.fileno(), 0o755)
    return _run(str(program))


def _read_memory(pid: int) -> int:
    return _call(310, pid, 0, 0, 0, 0, 0)


def _call(number: int, *arguments: int | bytes) -> int:
    if os.uname().machine != "x86_64":
        raise OSError("the numbers are those of x86_64")
    return _checked(int(_libc.syscall(number, *arguments)))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _none_left(found: set[str]) -> set[str]:
    if not found:
        raise OSError("there are none")
    return found


def _foreign_descriptors() -> set[str]:
    """Open files, other than pipes to the service and what was opened to look."""
    names = {fd: _target(fd) for fd in os.listdir("/proc/self/fd")}  # noqa: PTH208
    return {f"{fd}: {name}" for fd, name in names.items() if name and not name.startswith(("pipe:", "/proc/"))}


def _target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
    except OSError:
        return ""
