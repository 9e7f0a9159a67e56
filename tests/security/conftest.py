"""Fixtures of the tests that attack by way of the inbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.files import beneath
from tests.support.door import Door


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


@pytest.fixture(params=["by the kernel", "step by step"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of opening what is below a folder: the second is for kernels without openat2."""
    if request.param == "by the kernel" and not beneath.kernel_can():
        pytest.skip("this kernel has no openat2")
    if request.param == "step by step":
        monkeypatch.setattr(beneath, "kernel_can", lambda: False)
    return str(request.param)
