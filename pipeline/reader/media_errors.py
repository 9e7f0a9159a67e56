"""What can be wrong with a file that somebody dropped, in words for the person who dropped it.

Every error has a `reason` (a code for the log and the database), a message that says what happened and what to do
next, and a `detail` for whoever looks after the installation. The message never repeats bytes of the file.
"""

from __future__ import annotations

from typing import ClassVar


class MediaError(Exception):
    """A file that cannot be taken in, or a result that cannot be written."""

    reason: ClassVar[str] = "media_error"

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        return type(self), (self.message, self.detail)


class UnsupportedFormat(MediaError):
    """Not one of the photo formats that are read, whatever its name says."""

    reason = "unsupported_format"


class FilmNotSupported(MediaError):
    """A film, where a photo is read (as a portrait): films go another way (pipeline.reader.film)."""

    reason = "film_not_supported"


class SoundNotSupported(MediaError):
    """A sound recording, where a photo is read."""

    reason = "sound_not_supported"


class DamagedFile(MediaError):
    """Cut off, corrupt, or not decodable without guessing. Guessed pixels are never published."""

    reason = "damaged"


class DamagedFilm(DamagedFile):
    """A film or recording that cannot be read from its beginning to the end it claims, without guessing."""


class FilmTooLong(MediaError):
    """Longer than the limit."""

    reason = "film_too_long"


class ToolUnavailable(MediaError):
    """ffmpeg or ffprobe cannot be started. Nothing is wrong with the file."""

    reason = "tool_unavailable"


class TooManyPixels(MediaError):
    """More pixels than the limit, or a side that no JPEG can hold."""

    reason = "too_many_pixels"


class TooLarge(MediaError):
    """The file, or what is inside it, needs more memory than one photo may take."""

    reason = "too_large"


class UnreadableFile(MediaError):
    """The file is gone, is not a plain file, or may not be read."""

    reason = "unreadable"


class WriteFailed(MediaError):
    """The result could not be written. No partial file is left."""

    reason = "write_failed"


class CheckUnavailable(MediaError):
    """A safety check of this installation does not work, so nothing that needs it is let through."""

    reason = "check_unavailable"


def damaged(detail: str) -> DamagedFile:
    """The usual `DamagedFile`, with the technical detail."""
    return DamagedFile(
        "The photo is damaged or was not copied completely. Copy it again from the camera or phone, and check that "
        "it opens there.",
        detail,
    )


def too_many_pixels(width: int, height: int, max_pixels: int) -> TooManyPixels:
    """The usual `TooManyPixels`: size in pixels against the limit."""
    return TooManyPixels(
        f"The photo claims {width} x {height} pixels, more than the {max_pixels / 1e6:g} million that are taken. "
        "Make it smaller and drop it again.",
        f"{width}x{height} > {max_pixels}",
    )


def damaged_film(detail: str) -> DamagedFilm:
    """The usual `DamagedFilm`, with the technical detail."""
    return DamagedFilm(
        "The film is damaged or was not copied completely. Copy it again from the camera or phone, and check that it "
        "plays there to the end.",
        detail,
    )


def film_too_long(seconds: float, most: float) -> FilmTooLong:
    """The usual `FilmTooLong`: its duration against the limit, both in seconds."""
    return FilmTooLong(
        f"The film claims to last {seconds / 60:.0f} minutes, more than the {most / 60:.0f} that are taken. Cut it "
        "into parts and drop those.",
        f"{seconds:.1f} s > {most:g} s",
    )
