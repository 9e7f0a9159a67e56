"""Pure: what a file may be called. Names from the inbox are data to show, never paths to trust."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

UNSORTED = "unsorted"
MOST_FOLDERS = 16  # of 120 bytes each, so that every path that is made of them can be used
EVENT_FILE = "event.toml"

# What uploaders call files that are not finished, and what systems leave behind.
UNFINISHED = (
    "*.part",
    "*.filepart",
    "*.crdownload",
    "*.tmp",
    "*.partial",
    "*.download",
    "*.ocTransferId*",
    ".syncthing.*",
    "~syncthing~*",
    ".~tmp~*",
    "~$*",
    ".~lock*",
    ".#*",
    "*.swp",
)
LITTER = ("Thumbs.db", "ehthumbs.db", "desktop.ini", ".DS_Store", "._*", ".gitkeep", ".nfs*", ".fuse_hidden*")
SIDE = (
    "*.aae",  # what was changed on an iPhone
    "*.xmp",
    "*.pp3",
    "*.dop",
    "*.srt",  # of drones: where they flew
    "*.thm",  # small copies beside films
    "*.lrv",
    "*.lrf",
    "*.gpx",
    "*.modd",
    "*.moff",
    "*.bdm",
    "*.cpi",
    ".picasa.ini",
    "picasa.ini",
    ".nomedia",
    "*.ctg",
)
"""What cameras and programs lay beside photos and films: nobody publishes them, and nobody is told of each."""
LITTER_FOLDERS = (
    "__MACOSX",
    "@eaDir",
    "#recycle",
    "#snapshot",
    ".Trash*",
    "$RECYCLE.BIN",
    ".stfolder",
    ".stversions",
    "System Volume Information",
    "lost+found",
    ".git",
)

_RESERVED = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10)), *(f"lpt{i}" for i in range(1, 10))}
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_MAX_BYTES = 120


def unfinished(name: str) -> bool:
    """Whether an uploader is still writing under this name."""
    return any(fnmatch.fnmatchcase(name.lower(), p.lower()) for p in UNFINISHED)


def ignored(name: str) -> bool:
    """Whether the inbox leaves this file alone: unfinished, beside another, litter, or about the event itself."""
    return unfinished(name) or side(name) or beside(name)


def beside(name: str) -> bool:
    """Whether a file is no medium that somebody dropped: litter of a system, or about the event itself."""
    return name.lower() in {EVENT_FILE, "readme.md"} or any(
        fnmatch.fnmatchcase(name.lower(), p.lower()) for p in LITTER
    )


def side(name: str) -> bool:
    """Whether a camera or a program laid a file beside a photo or film: it stays where it is, and is counted."""
    return any(fnmatch.fnmatchcase(name.lower(), p) for p in SIDE)


def ignored_folder(name: str) -> bool:
    """Whether the inbox does not look into this folder."""
    return any(fnmatch.fnmatchcase(name.lower(), p.lower()) for p in LITTER_FOLDERS)


def numbered(name: str, most: int) -> Iterator[str]:
    """The name, then with -2, -3 ... before its extension: for where names are taken."""
    stem, dot, extension = name.rpartition(".")
    for number in range(1, most):
        middle = "" if number == 1 else f"-{number}"
        yield f"{stem}{middle}{dot}{extension}" if stem else f"{extension}{middle}"


def shown(raw: str) -> str:
    """A name as text that is safe to show and store: bytes that are not UTF-8 and control characters escaped."""
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def safe(raw: str, fallback: str = "file") -> str:
    """A name that every file system and every reader can bear: NFC, no control or direction marks, no path.

    The result is not empty, at most 120 bytes of UTF-8, has no leading or trailing dot or space and is not a
    name that Windows reserves.
    """
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    text = unicodedata.normalize("NFC", text).replace("\ufffd", "_")
    text = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    text = _FORBIDDEN.sub("_", text).strip(". ").lstrip("-")
    while len(text.encode()) > _MAX_BYTES:
        text = text[:-1]
    text = text.strip(". ")
    if not text or text.split(".")[0].lower() in _RESERVED:
        text = f"{fallback}_{text}" if text else fallback
    return text


def split(relative: str) -> tuple[str, str, str]:
    """Event, folder within the event ("" or "a/b"), and file name of a path relative to the inbox.

    Event and folder are safe names, and of very deep folders only the first are kept; the file name is as it came.
    """
    parts = PurePosixPath(relative).parts
    if len(parts) == 1:
        return UNSORTED, "", parts[0]
    folders = [safe(p, "folder") for p in parts[1:-1]][:MOST_FOLDERS]
    return safe(parts[0], UNSORTED), "/".join(folders), parts[-1]


def published(name: str, extension: str, number: int = 1) -> str:
    """The name in the publish folder: the stem of the original, a number when taken, the new extension."""
    stem = safe(PurePosixPath(name).stem or name, "photo")
    return f"{stem}{'' if number == 1 else f'-{number}'}.{extension}"


def key(path: str) -> str:
    """Two paths with one key are one file on some file system: case and Unicode form folded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
