"""Errors that a user may see: each says what happened, to what, and what to do next."""

from __future__ import annotations


class BeeldwachtError(Exception):
    """Something that stops a command. `remedy` tells the user what to do next."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigError(BeeldwachtError):
    """The configuration is missing, unreadable or wrong."""


class StartupError(BeeldwachtError):
    """The service cannot start: another one runs, weights are missing, a folder is unusable."""


class StoreError(BeeldwachtError):
    """The database refused or does not fit this version of the program."""


class Trouble(BeeldwachtError):
    """The installation, and not the file, kept a file from being worked on: it waits until that is mended."""


class LeaseLost(BeeldwachtError):
    """Another worker took the item over, or the register changed: what was made is thrown away."""


class Conflict(BeeldwachtError):
    """Somebody else did something with the item after it was looked at: nothing of this act was kept."""


class IntakeError(BeeldwachtError):
    """A file in the inbox cannot be taken now; it stays where it is."""


class RefusedFile(IntakeError):
    """A thing in the inbox that is not taken: a link, device, pipe or socket, or a file beyond the allowed size.

    `kind` says so for the log, without its name.
    """

    def __init__(self, message: str, remedy: str = "", kind: str = "no regular file") -> None:
        super().__init__(message, remedy)
        self.kind = kind


class KeyUnknown(BeeldwachtError):
    """The key of this id is not here: what it sealed cannot be opened until it is back."""


class BackupError(BeeldwachtError):
    """A backup cannot be made, is damaged, or cannot be restored here."""


class OriginalGone(BeeldwachtError):
    """An original is not in the vault any more, or is not what was kept there."""


class OriginalUnreadable(OriginalGone):
    """The disk cannot read an original: perhaps later, perhaps never again."""


class PublishError(BeeldwachtError):
    """A rendition cannot be made visible: it changed, vanished, or its place is taken."""


class ChildError(BeeldwachtError):
    """The child process that reads media failed."""


class ChildDied(ChildError):
    """The child ended while it worked on a file."""


class ChildTimeout(ChildError):
    """The child passed its deadline and was killed."""


class EnginesUnfit(ChildError):
    """The engines do not load, or do not see what is in the known photographs: no file is worked on until they do."""


class ChildRefused(ChildError):
    """The child looked at the file and refused it, with a reason code (see pipeline.reader.photo_codec)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Cancelled(BeeldwachtError):
    """Somebody asked that a piece of work be given up (`beeldwacht item cancel`)."""

    def __init__(self, by: str) -> None:
        super().__init__(f"Given up: {by} asked for it.", "Drop the file again to have it taken up anew.")
