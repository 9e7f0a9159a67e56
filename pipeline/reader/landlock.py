"""Landlock: a process gives up, for itself and all it starts, every file that it did not name beforehand.

Linux 5.13 and later; the interface is in linux/landlock.h and Documentation/userspace-api/landlock.rst. It needs no
privilege, holds for root as well, and cannot be taken back. What was open before stays open.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_ASK_VERSION = 1
_RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
TRUNCATE = 1 << 14
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
_RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights of files each version knows; from version 5 on all sixteen."""
_TCP = 0b11  # bind and connect, from version 4 on
_SCOPES = 0b11  # abstract Unix sockets and signals of processes outside, from version 6 on

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_REG | REMOVE_FILE
"""A folder to write files in; what is written there cannot be run from there."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The version of the interface; 0 where the system does not offer it."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)))


def restrict(allowed: Sequence[tuple[Path, int]]) -> tuple[str, ...]:
    """Keep only these rights below these paths; a path that is not there is passed over. Needs no_new_privs.

    Returns what holds from now on: "own-files-only", and where the system can "no-tcp" and "no-signals-outside";
    nothing where it offers no Landlock. Raises OSError when it offers Landlock and refuses these rules.
    """
    found = version()
    if not found:
        return ()
    handled = (1 << _RIGHTS_OF_VERSION.get(found, 16)) - 1
    rules = _Ruleset(handled, _TCP if found >= 4 else 0, _SCOPES if found >= 6 else 0)
    size = 24 if found >= 6 else 16 if found >= 4 else 8
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0))
    try:
        for path, rights in allowed:
            _allow(ruleset, path, rights & handled)
        _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return ("own-files-only", *(("no-tcp",) if found >= 4 else ()), *(("no-signals-outside",) if found >= 6 else ()))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    try:
        own = rights if path.is_dir() else rights & _OF_FILES
        rule = _PathBeneath(own, fd)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(fd)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
