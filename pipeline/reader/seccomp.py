"""seccomp: system calls that no reader of media needs fail, for this process and all it starts.

A namespace takes the network away, and Landlock the files; neither keeps a process from a Unix socket with a name
(PostgreSQL, a keyring, a container engine), from changing the mode or the owner of a file that it cannot open, nor
from parts of the kernel that only an attacker would touch. The
filter is a small program of classic BPF (linux/filter.h, linux/seccomp.h), and cannot be taken back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # where they stand in struct seccomp_data
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_ANY_BIT, _FIRST_ARGUMENT = 0x45, 16
_MISSING = 0x00050000 | errno.ENOSYS
_CLONE, _CLONE3 = {"x86_64": 56, "aarch64": 220}, 435
_NAMESPACES = 0x7E020000
"""Flags of clone(2): new namespaces (CLONE_NEW*). clone3 has them in memory, where no filter looks: it is "not there",
and the C library falls back to clone."""
_X32 = 0x40000000  # from here on: the same calls under other numbers

_DENIED: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41,
            "connect": 42,
            "bind": 49,
            "listen": 50,
            "accept": 43,
            "accept4": 288,
            "ptrace": 101,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "pidfd_getfd": 438,
            "io_uring_setup": 425,
            "io_uring_enter": 426,
            "io_uring_register": 427,
            "fsopen": 430,
            "fsconfig": 431,
            "fsmount": 432,
            "fspick": 433,
            "mount_setattr": 442,
            "memfd_create": 319,
            "memfd_secret": 447,
            "shmget": 29,
            "shmat": 30,
            "shmctl": 31,
            "semget": 64,
            "msgget": 68,
            "mq_open": 240,
            "bpf": 321,
            "perf_event_open": 298,
            "userfaultfd": 323,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "mount": 165,
            "umount2": 166,
            "pivot_root": 155,
            "chroot": 161,
            "unshare": 272,
            "setns": 308,
            "open_by_handle_at": 304,
            "init_module": 175,
            "finit_module": 313,
            "kexec_load": 246,
            "open_tree": 428,
            "move_mount": 429,
            "chmod": 90,
            "fchmodat": 268,
            "fchmodat2": 452,
            "chown": 92,
            "lchown": 94,
            "fchownat": 260,
            "setxattr": 188,
            "lsetxattr": 189,
            "removexattr": 197,
            "lremovexattr": 198,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": 198,
            "connect": 203,
            "bind": 200,
            "listen": 201,
            "accept": 202,
            "accept4": 242,
            "ptrace": 117,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "pidfd_getfd": 438,
            "io_uring_setup": 425,
            "io_uring_enter": 426,
            "io_uring_register": 427,
            "fsopen": 430,
            "fsconfig": 431,
            "fsmount": 432,
            "fspick": 433,
            "mount_setattr": 442,
            "memfd_create": 279,
            "memfd_secret": 447,
            "shmget": 194,
            "shmctl": 195,
            "shmat": 196,
            "semget": 190,
            "msgget": 186,
            "mq_open": 180,
            "bpf": 280,
            "perf_event_open": 241,
            "userfaultfd": 282,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "mount": 40,
            "umount2": 39,
            "pivot_root": 41,
            "chroot": 51,
            "unshare": 97,
            "setns": 268,
            "open_by_handle_at": 265,
            "init_module": 105,
            "finit_module": 273,
            "kexec_load": 104,
            "open_tree": 428,
            "move_mount": 429,
            "fchmodat": 53,
            "fchmodat2": 452,
            "fchownat": 54,
            "setxattr": 5,
            "lsetxattr": 6,
            "removexattr": 14,
            "lremovexattr": 15,
        },
    ),
}
"""Per machine: the number that tells it, and the calls that are refused (arch/*/entry/syscalls, asm-generic)."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def program(machine: str) -> bytes:
    """The filter for a machine as `os.uname().machine` names it; empty for one that is not known."""
    if machine not in _DENIED:
        return b""
    architecture, calls = _DENIED[machine]

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", code, yes, no, value)

    numbers = sorted(calls.values())
    allow = 7 + len(numbers)  # where that step stands; then: fail, no such call, and what is looked at of a clone
    fail, missing, cloning = allow + 1, allow + 2, allow + 3
    steps = [
        step(_LOAD, _ARCHITECTURE),
        step(_EQUAL, architecture, 1, 0),
        step(_RETURN, _KILL),
        step(_LOAD, _NUMBER),
        step(_AT_LEAST, _X32, fail - 5, 0),
        step(_EQUAL, _CLONE3, missing - 6, 0),
        step(_EQUAL, _CLONE[machine], cloning - 7, 0),
        *(step(_EQUAL, number, fail - (8 + i), 0) for i, number in enumerate(numbers)),
        step(_RETURN, _ALLOW),
        step(_RETURN, _FAIL),
        step(_RETURN, _MISSING),
        step(_LOAD, _FIRST_ARGUMENT),
        step(_ANY_BIT, _NAMESPACES, 0, 1),
        step(_RETURN, _FAIL),
        step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def refuse() -> tuple[str, ...]:
    """Put the filter in force. Needs no_new_privs. Returns ("no-sockets",), or nothing where the system has none."""
    filters = program(os.uname().machine)
    if not filters:
        return ()
    one = _Program(len(filters) // 8, filters)
    held = _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(one), 0, 0) == 0
    return ("no-sockets",) if held else ()
