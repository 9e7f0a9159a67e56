"""The service under the restrictions of its systemd unit (or of the container's profile), set without systemd.

    sudo python -m bench.confined [--profile unit|container] [--deny unshare]

Needs root, to give it up; libseccomp; and systemd-analyze, which says what the unit's sets of system calls hold. The
service runs as an unprivileged user without capabilities, on a read-only file system but for the school's folder, with
only the system calls, address families and namespaces that the unit allows, and without memory that is both writable
and executable where the unit says so. Everything else of the unit is left out, as it is systemd's own to do.

A photo and a film have to come out, the console has to be well, and the readers of media have to be as confined as
without all this. `--deny NAME` takes one more system call away, to see that this finds it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from bench.soak import CLI, call, film, install, photo

ROOT = Path(__file__).resolve().parent.parent
UNIT, PROFILE = ROOT / "deploy" / "beeldwacht.service", ROOT / "deploy" / "seccomp.json"
NOBODY = 65534
_ALLOW, _ERRNO, _EQ, _MASKED = 0x7FFF0000, 0x00050000, 4, 7
_NEWCGROUP, _NEWTIME, _NEWNS = 0x02000000, 0x00000080, 0x00020000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp` of libseccomp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def main() -> int:
    """Run it, and say what came out."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--profile", choices=("unit", "container"), default="unit")
    p.add_argument("--deny", action="append", default=[], metavar="NAME")
    a = p.parse_args()
    names = (from_unit() if a.profile == "unit" else from_profile()) - set(a.deny)
    home = Path("/srv/beeldwacht-confined")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    try:
        return attempt(home / "school", names, a.profile)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def attempt(home: Path, names: set[str], profile: str) -> int:
    """Install, run under the filter, drop a photo and a film, look."""
    install(home)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    for path in (home, *home.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    env = {
        **os.environ,
        "HOME": "/nonexistent",
        "BEELDWACHT_WATCH__SETTLE_SECONDS": "1",
        "BEELDWACHT_CONSOLE__ENABLED": "true",
        "BEELDWACHT_CONSOLE__PORT": str(port),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    strict = profile == "unit" and "MemoryDenyWriteExecute=yes" in UNIT.read_text(encoding="utf-8")
    output = home / "service.out"
    with output.open("w") as out:
        service = subprocess.Popen(
            [*CLI, "run"],
            cwd=home,
            env=env,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: restrict(home, names, strict),  # noqa: PLW1509
        )
    try:
        well, confined = watch(service, home, port)
    finally:
        service.terminate()
        service.wait(120)
    files = json.loads(call("status", "--json", home=home))["files"]
    missing = {"no-network", "memory", "dies-with-service", "no-new-privileges", "no-core-dump"} - set(confined)
    print(
        f"{profile}, {len(names)} system calls{', no writable code' if strict else ''}: {files['published']} of 2 "
        f"published; console {'well' if well else 'not well'}; readers confined: {', '.join(confined) or 'unknown'}"
        + (f"; missing: {', '.join(sorted(missing))}" if missing else "")
    )
    if files["published"] != 2 or not well:
        print(output.read_text()[-2000:], file=sys.stderr)
    return 0 if files["published"] == 2 and well and not missing else 1


def watch(service: subprocess.Popen[bytes], home: Path, port: int) -> tuple[bool, list[str]]:
    """Drop the files when the service runs, wait for them, and ask how it is."""
    rng, end, dropped = random.Random(3), time.monotonic() + 240, False  # noqa: S311
    well, confined = False, list[str]()
    while time.monotonic() < end and service.poll() is None:
        time.sleep(1)
        facts = json.loads(call("status", "--json", home=home))
        if not facts["service"]["running"]:
            continue
        confined = facts["service"]["child_confined"]
        if not dropped:
            dropped = True
            photo(home / "inbox" / "day", 1, rng)
            film(home / "inbox" / "day", 2, rng)
            for path in (home / "inbox").rglob("*"):
                os.chown(path, NOBODY, NOBODY)
        well = httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        if facts["files"]["published"] == 2:
            break
    return well, confined


def from_unit() -> set[str]:
    """The system calls that the unit allows: each line adds its sets, or with ~ takes them away."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE):
        found = {name for word in line.removeprefix("~").split() for name in expand(word)}
        allowed = allowed - found if line.startswith("~") else allowed | found
    return allowed | expand("@default")  # systemd allows these always


def expand(word: str) -> set[str]:
    """A system call, or those of a set."""
    if not word.startswith("@"):
        return {word}
    done = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in done.stdout.splitlines()[1:]]
    return {name for line in lines if line and not line.startswith("#") for name in expand(line)}


def from_profile() -> set[str]:
    """The system calls that the container's profile allows."""
    return {n for rule in json.loads(PROFILE.read_text(encoding="utf-8"))["syscalls"] for n in rule["names"]}


def restrict(home: Path, names: set[str], strict: bool) -> None:
    """In the new process: read-only but for `home`, nobody, no capabilities, only these system calls."""
    libc = ctypes.CDLL(None, use_errno=True)

    def sure(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    sure(libc.unshare(_NEWNS))
    sure(libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    sure(libc.mount(bytes(home), bytes(home), None, _MS_BIND, None))
    sure(libc.mount(None, b"/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY, None))
    os.chdir(home)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; those that the kernel does not know are refused
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    sure(libc.prctl(38, 1, 0, 0, 0))  # PR_SET_NO_NEW_PRIVS
    load(names, strict)


def load(names: set[str], strict: bool) -> None:
    """Put the filter in force: what is not allowed fails with EPERM, as the unit says."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(_ERRNO | 1)))

    def add(name: str, *conditions: Comparison) -> None:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others belong to another processor
            array = (Comparison * len(conditions))(*conditions)
            if lib.seccomp_rule_add_array(context, ctypes.c_uint32(_ALLOW), number, len(conditions), array):
                raise OSError(f"{name}: no rule")

    special = {"socket": "families", "unshare": "namespaces"} | ({"mmap": "", "mprotect": ""} if strict else {})
    for name in names - special.keys():
        add(name)
    if "socket" in names:
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
            add("socket", Comparison(0, _EQ, family, 0))
    if "unshare" in names:
        add("unshare", Comparison(0, _MASKED, _NEWCGROUP | _NEWTIME, 0))
    if strict:  # write 2, execute 4
        for kind in (0, 2, 4):
            add("mmap", Comparison(2, _MASKED, 6, kind))
        add("mprotect", Comparison(2, _MASKED, 4, 0))
    if lib.seccomp_load(context):
        raise OSError("the filter was not taken")
    lib.seccomp_release(context)


if __name__ == "__main__":
    sys.exit(main())
