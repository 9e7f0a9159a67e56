"""The points at which a test can kill the process: each one exists, and none does anything unless asked to."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import kill_points
from tests.conftest import ROOT


def test_every_point_is_on_the_way_and_described() -> None:
    sources = [p.read_text() for p in (ROOT / "pipeline").rglob("*.py")]
    assert {p for s in sources for p in re.findall(r'\breach\("([^"]+)"\)', s)} == set(kill_points.POINTS)
    assert len(kill_points.POINTS) >= 20


def test_nothing_happens_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(kill_points.VARIABLE, raising=False)
    for point in kill_points.POINTS:
        kill_points.reach(point)
    monkeypatch.setenv(kill_points.VARIABLE, "vault.cpied:1")
    with pytest.raises(ValueError, match="cpied"):
        kill_points.reach("vault.copied")


def test_the_process_dies_when_the_point_is_reached_so_often() -> None:
    script = "from pipeline.kill_points import reach\nfor n in range(5):\n print(n, flush=True)\n reach('vault.copied')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(ROOT),
        env={kill_points.VARIABLE: "vault.copied:3"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["0", "1", "2"])
