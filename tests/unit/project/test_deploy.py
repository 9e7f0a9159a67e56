"""The files under deploy/ and the Dockerfile: what they name exists, and the tools that know them object to nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
SCHOOL = {**os.environ, "SCHOOL": "/srv/school", "KEYS": "/srv/keys", "ADDRESS": "b.example"}


def pins(name: str) -> dict[str, frozenset[str]]:
    """`package==version ; marker` -> its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return {
        line.split("--hash=")[0].strip(): frozenset(re.findall(r"--hash=(\S+)", line))
        for line in text.splitlines()
        if "==" in line
    }


def package(pin: str) -> str:
    return re.split(r"[\[=]", pin)[0].lower().replace("_", "-")


def test_what_a_school_installs_is_what_was_tested_without_the_tools_of_developers() -> None:
    tested, installed = pins("requirements.lock"), pins("requirements-run.lock")
    versions = {pin.split(" ;")[0]: hashes for pin, hashes in tested.items()}
    assert {p for p, h in installed.items() if versions.get(p.split(" ;")[0]) != h} == set(), "run `make lock-run`"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[<>=~ ]", d)[0].lower().replace("_", "-") for d in project["dependencies"]}
    assert wanted <= {package(p) for p in installed}, "run `make lock-run`"
    assert not {"pytest", "playwright", "locust", "mypy"} & {package(p) for p in installed}


def test_what_the_image_copies_is_there_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.M)
        for name in line.split()[:-1]
    ]
    assert len(copied) > 8 and all((ROOT / name).exists() for name in copied)
    assert set(copied) == allowed and ignored[1] == "*" and "models/weights" in ignored


def test_the_containers_can_do_little() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name, s in services.items():
        assert s["read_only"] and s["cap_drop"] == ["ALL"] and "no-new-privileges:true" in s["security_opt"], name
        assert s["mem_limit"] == s["memswap_limit"] and s["pids_limit"] and s["logging"]["options"]["max-size"], name
        assert not s.get("privileged") and "docker.sock" not in json.dumps(s), name
    ours = services["beeldwacht"]
    assert ours["user"] == "10001:10001" and "ports" not in ours and ours["network_mode"] == "service:proxy"
    assert all(not str(v).endswith(".key") for v in ours["volumes"])
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.M)[-1] == "10001:10001" and "HEALTHCHECK" in dockerfile


def test_the_profile_lets_readers_leave_the_network_and_nothing_touch_the_kernel() -> None:
    profile = json.loads((DEPLOY / "seccomp.json").read_text(encoding="utf-8"))
    names = {n for rule in profile["syscalls"] for n in rule["names"]}
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO" and {"unshare", "prctl", "seccomp"} <= names
    assert not names & {
        "ptrace",
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "bpf",
        "init_module",
        "kexec_load",
        "keyctl",
        "process_vm_readv",
        "process_vm_writev",
        "perf_event_open",
        "userfaultfd",
        "io_uring_setup",
        "reboot",
        "swapon",
        "setuid",
    }


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_understands_the_units_and_finds_them_little_exposed() -> None:
    units = sorted(str(p) for p in DEPLOY.iterdir() if p.suffix in {".service", ".timer"})
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "is not executable: No such file" not in line]
    assert [line for line in said if "beeldwacht" in line] == []
    for unit in (u for u in units if u.endswith(".service")):
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed")
def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_compose_reads_its_file() -> None:
    command = ["docker-compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=SCHOOL)
    assert done.returncode == 0, done.stderr
