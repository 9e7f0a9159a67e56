"""Kills at named points and at random times: the programs of bench/ that do a thousand do a few dozen here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.attack

KILLS = 40


def test_kills_lose_nothing_double_nothing_and_show_nothing(tmp_path: Path, weights: Path, samples: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.chaos", "--kills", str(KILLS), "--seed", "5", "--home", str(tmp_path), "--json"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stdout, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["broken"] == []
    assert done.returncode == 0
    assert result["kills"] >= KILLS and result["points"] >= 20 and result["appearances"] > KILLS
