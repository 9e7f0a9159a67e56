"""Forms and portraits beside the register: found safely, and named by their SHA-256.

Paths come out of a file that many people edit, so they are data: relative, inside the register's folder, regular
files only, of a size that a form or a portrait has. Anything else is no evidence.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from consent_sync.loaded import Portrait
from pipeline.files.beneath import resolved

MAX_FORM_BYTES = 50 * 1024 * 1024
MAX_PORTRAIT_BYTES = 50 * 1024 * 1024
MAX_PORTRAITS = 20
"""Portraits per person: more do not help, and a folder with thousands is a mistake."""
PORTRAIT_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".heic", ".webp"})
_CHUNK = 1024 * 1024


class EvidenceError(Exception):
    """A form or portrait cannot be used: it is missing, empty, outside the folder, or no file. Says which and why."""


@dataclass(slots=True)
class Evidence:
    """Reads the files beside one register; a form that several rows name is read once."""

    folder: Path
    _hashes: dict[str, str] = field(default_factory=dict)

    def form(self, path: str) -> str:
        """The SHA-256 of a signed form, in hexadecimal.

        Raises:
            EvidenceError: when there is no such form, so that there is no consent (GDPR art. 7(1)).
        """
        known = self._hashes.get(path)
        if known is None:
            known, _ = _digest(resolve(self.folder, path), MAX_FORM_BYTES, "form")
            self._hashes[path] = known
        return known

    def portrait_names(self, person_id: str) -> list[str]:
        """The names of the portraits in portraits/<person_id>, sorted; none of them is opened.

        Raises:
            EvidenceError: when the folder is there and cannot be listed.
        """
        try:
            with os.scandir(resolve(self.folder, f"portraits/{person_id}")) as entries:
                names = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise EvidenceError(f"their folder cannot be listed: {error.strerror}") from error
        return [n for n in names if Path(n).suffix.lower() in PORTRAIT_SUFFIXES and not n.startswith(".")]

    def portraits(self, person_id: str) -> tuple[tuple[Portrait, ...], tuple[str, ...]]:
        """The portraits in portraits/<person_id>, in the order of their names, and why others were passed over."""
        relative = f"portraits/{person_id}"
        found: list[Portrait] = []
        problems: list[str] = []
        try:
            names = self.portrait_names(person_id)
        except EvidenceError as error:
            return (), (str(error),)
        for name in names:
            if len(found) == MAX_PORTRAITS:
                problems.append(f"more than {MAX_PORTRAITS} portraits: the rest is not used")
                break
            try:
                path = resolve(self.folder, f"{relative}/{name}")
                digest, size = _digest(path, MAX_PORTRAIT_BYTES, "portrait")
            except EvidenceError as error:
                problems.append(str(error))
            else:
                found.append(Portrait(path, digest, size))
        return tuple(found), tuple(problems)


def resolve(folder: Path, path: str) -> Path:
    """The real path of something beside the register.

    Raises:
        EvidenceError: for absolute paths, "..", and links that leave the folder.
    """
    windows = PureWindowsPath(path)  # reads both kinds of slashes: registers are often written on Windows
    if not path.strip() or windows.drive or windows.root or ".." in windows.parts or not path.isprintable():
        raise EvidenceError("the path has to be relative to the register's folder, without ..")
    root = folder.resolve()
    try:
        real = root.joinpath(*windows.parts).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, a name that is too long
        raise EvidenceError("the path cannot be followed") from error
    if not real.is_relative_to(root):
        raise EvidenceError("the path leads out of the register's folder")
    return real


def _digest(path: Path, limit: int, what: str) -> tuple[str, int]:
    """SHA-256 and size of a regular file that is not empty."""
    digest, size = hashlib.sha256(), 0
    try:
        with resolved(path) as (folder, name):
            descriptor = folder.open(name)
        try:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise EvidenceError(f"the {what} is not a file")
            if state.st_size > limit:
                raise EvidenceError(f"the {what} has {state.st_size:,} bytes, more than {limit:,}")
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if size > limit:
                    raise EvidenceError(f"the {what} grows while it is read")
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise EvidenceError(f"there is no such {what}") from error
    except OSError as error:
        raise EvidenceError(f"the {what} cannot be read: {error.strerror or type(error).__name__}") from error
    if size == 0:
        raise EvidenceError(f"the {what} is empty")
    return digest.hexdigest(), size
