"""A race between the service and somebody who exchanges folders and files of the inbox for links, without a pause."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter

import pytest

from pipeline.intake.watch import look
from tests.support.canaries import NAMES
from tests.support.door import Door

ROUND = 300
ATTACKER = """
import ctypes, itertools, os, random, sys
inbox, secret, apart, names = *sys.argv[1:4], sys.argv[6:]
swaps, seed = int(sys.argv[4]), int(sys.argv[5])
libc, chance, EXCHANGE = ctypes.CDLL(None, use_errno=True), random.Random(seed), 2
def exchange(a, b):
    return libc.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), EXCHANGE) == 0
folders = [os.path.join(at, d) for at, ds, _ in os.walk(secret) for d in ds]
files = [os.path.join(at, f) for at, _, fs in os.walk(secret) for f in fs]
made = itertools.count()
def drop(name):
    path, number = f"{apart}/new", f"{seed}-{next(made)}"
    with open(path, "wb") as f:
        f.write(f"dropped {number}".encode())
    try:
        os.link(path, f"{inbox}/day/deep/{name}")
        print(number)
    except FileExistsError:
        pass
    os.unlink(path)
for n in range(swaps):
    for name in names:
        if chance.random() < 0.3:
            drop(name)
    lie, (victim, aims) = f"{apart}/lie", chance.choice([
        (f"{inbox}/day", folders), (f"{inbox}/day/deep", folders), (f"{inbox}/day/deep/{chance.choice(names)}", files)])
    os.symlink(chance.choice(aims), lie)
    if exchange(lie, victim):
        for _ in range(chance.randrange(200)):
            pass
        exchange(lie, victim)
    os.unlink(lie)
"""


def race(door: Door, swaps: int) -> Counter[str]:
    """Sweep the inbox while somebody exchanges what is in it; returns how often which outcome came.

    Goes on until so many swaps are over, and enough was taken and enough was in the way for it to have been a race.
    """
    apart = door.inbox.parent / "apart"
    apart.mkdir()
    (door.inbox / "day" / "deep").mkdir(parents=True)
    outcomes: Counter[str] = Counter()
    dropped: set[str] = set()
    done = 0
    while done < swaps or outcomes["new"] < 20 or outcomes["later"] + outcomes["skipped"] < 20:
        argv = [str(p) for p in (door.inbox, door.secrets.home, apart, ROUND, done)]
        attacker = subprocess.Popen(
            [sys.executable, "-c", ATTACKER, *argv, *NAMES[:4]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while attacker.poll() is None:
            skipped: list[str] = []
            for seen in look(door.inbox, skipped):
                outcomes[door.intake.from_inbox(seen).outcome] += 1
            outcomes["skipped"] += len(skipped)
        said, complaints = attacker.communicate()
        assert not complaints, complaints
        dropped |= set(said.split())
        done += ROUND
    for seen in look(door.inbox):
        outcomes[door.intake.from_inbox(seen).outcome] += 1
    hashes = {hashlib.sha256(f"dropped {n}".encode()).hexdigest() for n in dropped}
    assert hashes == set(door.vault.originals.all()), "what was dropped was lost, or something else was taken"
    assert not look(door.inbox)
    return outcomes


@pytest.mark.parametrize("swaps", [ROUND, pytest.param(10_000, marks=pytest.mark.attack)])
def test_ten_thousand_swaps_reach_nothing_and_lose_nothing(door: Door, swaps: int, way: str) -> None:
    outcomes = race(door, swaps)
    print(dict(outcomes))
    door.safe()
