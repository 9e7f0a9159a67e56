"""What the child process may not do: grow without bound, dump core, outlive the service, reach files or the network.

Called first thing in the child, before any library is loaded (a new user namespace needs a single thread). Each part
holds for what the child starts as well, and none can be taken back by code that runs in it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from pipeline.reader import landlock, seccomp

WANTED = {
    "no-network": "the network namespace",
    "own-files-only": "Landlock (Linux 5.13 or later, with landlock in the kernel's lsm= list)",
    "no-sockets": "seccomp",
    "memory": "RLIMIT_AS",
    "dies-with-service": "PR_SET_PDEATHSIG",
}
"""What doctor asks of a system, and the part of the system that gives it."""

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4
_CAPABILITIES_V3 = 0x20080522
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_libc = ctypes.CDLL(None, use_errno=True)


def confine(memory_bytes: int, file_bytes: int, parent: int, weights: Path, exchange: Path) -> tuple[str, ...]:
    """Set the limits. Returns the names of those that hold here; the system may not offer all of them.

    Of all files the child keeps the interpreter, the libraries and the tools (to read and run), the `weights` and
    `tray`/in (to read) and `tray`/out (to write).
    """
    holds = []
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0:
        if os.getppid() != parent:
            os._exit(1)  # the service died before it could take us along
        holds.append("dies-with-service")
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        holds.append("no-new-privileges")
    for name, limit, value in (
        ("memory", resource.RLIMIT_AS, memory_bytes),
        ("file-size", resource.RLIMIT_FSIZE, file_bytes),
        ("no-core-dump", resource.RLIMIT_CORE, 0),
        ("open-files", resource.RLIMIT_NOFILE, 128),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # noqa: PLW2901
        resource.setrlimit(limit, (value, value))
        holds.append(name)
    if _libc.unshare(_CLONE_NEWNET) == 0 or _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        holds.append("no-network")
    try:
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
        holds.append("first-to-go-when-memory-is-short")
    except OSError:
        pass  # not Linux, or not allowed: the memory limit above still holds
    holds += landlock.restrict(_own_files(weights, exchange))
    if _drop_capabilities():
        holds.append("no-capabilities")
    holds += seccomp.refuse()
    return tuple(holds)


def limit_cpu(seconds: float) -> None:
    """Allow this many more seconds of processor time; past them the kernel ends the process (SIGXCPU)."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def keep_memory_low() -> None:
    """What is freed goes back to the system: pictures at once, and never into a heap for each thread; with glibc only.

    A frame is many megabytes, and threads that keep some of them each add up: see mallopt(3).
    """
    adjust = getattr(_libc, "mallopt", None)
    if adjust is not None:
        for parameter, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, 4 << 20), (_M_TRIM_THRESHOLD, 8 << 20)):
            adjust(parameter, value)


def give_back_memory() -> None:
    """Return to the system what was freed, as the files of the weights once the engines hold them; with glibc only."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)


def _own_files(weights: Path, exchange: Path) -> list[tuple[Path, int]]:
    application = Path(__file__).resolve().parents[1]
    code = {Path(sys.prefix), Path(sys.base_prefix), application, application.parent / "models"}
    system = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/nix/store", "/gnu/store")
    facts = (
        "/etc/ld.so.cache",
        "/etc/ld.so.preload",
        "/etc/localtime",
        "/dev/urandom",
        "/dev/zero",
        "/proc/self",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/stat",
        "/proc/sys/vm",
        "/proc/sys/kernel/osrelease",
        "/sys/devices/system/cpu",
        "/sys/devices/system/node",
    )
    return [
        *((path, landlock.RUN) for path in sorted({*code, *map(Path, system)})),
        *((Path(path), landlock.READ) for path in facts),
        (Path(os.devnull), landlock.READ_FILE | landlock.WRITE_FILE),
        (weights, landlock.READ),
        (exchange / "in", landlock.READ),
        (exchange / "out", landlock.WRITE),
    ]


def _drop_capabilities() -> bool:
    """Give up what root may do, also inside the namespace of its own; whether nothing of it is left."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    return bool(_libc.capset(ctypes.byref(header), ctypes.byref(nothing)) == 0)
