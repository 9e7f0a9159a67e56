"""What the child process may not do: grow without bound, dump core, outlive the service, reach the network.

Called first thing in the child, before any library is loaded (a new user namespace needs a single thread).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


def confine(memory_bytes: int, file_bytes: int, parent: int) -> tuple[str, ...]:
    """Set the limits. Returns the names of those that hold here; the system may not offer all of them."""
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
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
        holds.append(name)
    if _libc.unshare(_CLONE_NEWNET) == 0 or _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        holds.append("no-network")
    try:
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
        holds.append("first-to-go-when-memory-is-short")
    except OSError:
        pass  # not Linux, or not allowed: the memory limit above still holds
    return tuple(holds)


def limit_cpu(seconds: float) -> None:
    """Allow this many more seconds of processor time; past them the kernel ends the process (SIGXCPU)."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
