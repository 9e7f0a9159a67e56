"""The key of the templates: where it is kept, how templates are sealed and opened with it, how it is exchanged.

Templates are sealed with AES-256-GCM under a 96-bit random nonce; the person, the engine, its weights, the portrait,
its date and the key's id are bound to them, so that no row can be moved to another person. The key is never in the
database's folder: it lies in a file that only the service may read, in an environment variable, or in the keyring of
the operating system (GDPR art. 32). Without the key nobody can be matched, and every face is covered.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from pipeline.config import Keys
from pipeline.domain.types import SealedTemplate, Template
from pipeline.errors import BeeldwachtError
from pipeline.files.fsync import sync_folder
from pipeline.files.rename import replace_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_PREFIX = "beeldwacht-key-1:"
_NONCE_BYTES = 12
_KEY_BYTES = 32
ENROL_AGAIN = (
    "Put that key back, or run `beeldwacht templates new-key --by NAME` and load the register again: everyone is then "
    "enrolled again from the portraits. Until then nobody is matched and every face is covered."
)


class KeyProblem(BeeldwachtError):
    """The key cannot be read, is not safe where it lies, or is not the one the templates were sealed with."""


class KeyMissing(KeyProblem):
    """There is no key, or not the right one: nobody can be matched until it is back or everyone is enrolled again."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and the id that is stored beside what it sealed; the id tells nothing about the secret."""

    id: str
    secret: bytes = field(repr=False)


class KeySource(Protocol):
    """Where the key is kept: the one in use, and while keys are exchanged the next one."""

    place: str

    def read(self) -> tuple[Key | None, Key | None]:
        """The key in use and the next one. Raises KeyProblem when a place is not safe or holds no key."""
        ...

    def make(self, next_one: bool) -> Key:
        """Make a key where there is none, durably. Raises KeyProblem when this place cannot."""
        ...

    def promote(self) -> None:
        """The next key becomes the one in use, and the one before is gone."""
        ...


# --- sealing --------------------------------------------------------------------------------------------------


def seal(template: Template, weights_sha256: str, key: Key) -> SealedTemplate:
    """A template that only this key opens, and only for this person. It needs a date."""
    if template.dated is None:
        raise ValueError("a template needs the date of its portrait")
    blank = SealedTemplate(
        template.person_id,
        template.portrait_sha256,
        template.engine,
        weights_sha256,
        template.dated,
        key.id,
        secrets.token_bytes(_NONCE_BYTES),
        b"",
    )
    plain = np.ascontiguousarray(template.vector, dtype="<f4").tobytes()
    return replace(blank, sealed=_cipher(key).encrypt(blank.nonce, plain, _bound(blank)))


def unseal(sealed: SealedTemplate, key: Key) -> Template:
    """The inverse of `seal`. Raises KeyMissing for another key, or when the row is not what was sealed."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only those who match need the library

    try:
        if sealed.key_id != key.id:
            raise InvalidTag
        plain = _cipher(key).decrypt(sealed.nonce, sealed.sealed, _bound(sealed))
    except (InvalidTag, ValueError) as e:
        raise KeyMissing(
            f"A template of {sealed.person_id} ({sealed.engine}) cannot be opened: it was changed, or sealed with "
            f"another key ({sealed.key_id}).",
            ENROL_AGAIN,
        ) from e
    vector = np.frombuffer(plain, "<f4").astype(np.float32)
    return Template(sealed.person_id, sealed.portrait_sha256, sealed.engine, vector, sealed.dated)


def _cipher(key: Key) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    return AESGCM(key.secret)


def _bound(t: SealedTemplate) -> bytes:
    facts = ["template", t.person_id, t.portrait_sha256, t.engine, t.weights_sha256, t.dated.isoformat(), t.key_id]
    return json.dumps(facts, ensure_ascii=True).encode("ascii")


# --- the key in use -------------------------------------------------------------------------------------------


class TemplateKeys:
    """The keys of one installation. `known` says which key id the database's templates were sealed with last."""

    def __init__(self, source: KeySource, known: Callable[[], str | None]) -> None:
        self.source = source
        self._known = known

    def current(self, make: bool = False) -> Key:
        """The key that the templates are sealed with; with `make`, a new one when there never was one.

        An exchange of keys that was interrupted after the templates were sealed again is finished here. Raises
        KeyMissing when the key is not the one that the templates were sealed with, KeyProblem when it is not safe.
        """
        known = self._known()
        now, following = self.source.read()
        if following is not None and known == following.id:
            self.source.promote()
            now = following
        if now is None:
            if known is None and make:
                return self.source.make(next_one=False)
            what = f"The key {known} of the templates is not there" if known else "There is no key for templates yet"
            raise KeyMissing(
                f"{self.source.place}: {what}.", ENROL_AGAIN if known else "Load the register: it is made."
            )
        if known is not None and now.id != known:
            raise KeyMissing(
                f"{self.source.place}: this key ({now.id}) is not the one that sealed the templates ({known}).",
                ENROL_AGAIN,
            )
        return now

    def following(self) -> Key:
        """The next key, for an exchange; one that an interrupted exchange left is used again."""
        return self.source.read()[1] or self.source.make(next_one=True)


def rotate(
    keys: TemplateKeys,
    reseal: Callable[[datetime, str, str, Callable[[SealedTemplate], SealedTemplate]], int],
    now: datetime,
    actor: str,
) -> tuple[int, str]:
    """Exchange the key: a next one is made, every template is sealed with it in one transaction, then it is the key.

    Killed anywhere, running it again finishes it: until the last step both keys are there, and the database says which
    of them counts. Returns how many templates, and the new key's id. Raises KeyMissing when a template cannot be
    opened: then nothing changes.
    """
    before = keys.current()
    after = keys.following()

    def again(sealed: SealedTemplate) -> SealedTemplate:
        return seal(unseal(sealed, before), sealed.weights_sha256, after)

    count = reseal(now, actor, after.id, again)
    keys.source.promote()
    return count, after.id


def fresh() -> str:
    """A new key as text, as it is kept in a file, a variable or a keyring."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")


def parse(text: str, place: str) -> Key:
    """A key from its text. Raises KeyProblem when it is none; the message never shows what was there."""
    try:
        if not text.strip().startswith(_PREFIX):
            raise ValueError
        secret = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
        if len(secret) != _KEY_BYTES:
            raise ValueError
    except ValueError:
        raise KeyProblem(
            f"{place}: what is there is not a key.", "Make one with `beeldwacht templates make-key`."
        ) from None
    return Key(hashlib.sha256(b"beeldwacht key id\0" + secret).hexdigest()[:16], secret)


def source_of(
    settings: Keys, root: Path, data: Path, of: Literal["templates", "originals", "log"] = "templates"
) -> KeySource:
    """The place that the configuration names for one of the keys. Raises KeyProblem for a file in the data folder."""
    file, variable, entry = {
        "templates": (settings.file, settings.variable, settings.entry),
        "originals": (settings.originals_file, settings.originals_variable, settings.originals_entry),
        "log": (settings.log_file, settings.log_variable, settings.log_entry),
    }[of]
    if settings.source == "environment":
        return VariableSource(variable)
    if settings.source == "keyring":
        return KeyringSource(entry)
    return FileSource(file if file.is_absolute() else root / file, data)


# --- places ---------------------------------------------------------------------------------------------------


class FileSource:
    """A file that only its owner may read. Beside it lies `<name>.next` while keys are exchanged."""

    def __init__(self, file: Path, data: Path) -> None:
        """Raises KeyProblem when the file would lie in the folder of the database: who steals one has both."""
        self.place = str(file)
        self._file = file
        self._next = file.with_name(file.name + ".next")
        if file.resolve().is_relative_to(data.resolve()):
            raise KeyProblem(f"{file}: the key may not lie in the data folder.", "Name another file in [keys] file.")

    def read(self) -> tuple[Key | None, Key | None]:
        """See `KeySource`. A file that others may read, or that belongs to somebody else, is refused."""
        return _read_file(self._file), _read_file(self._next)

    def make(self, next_one: bool) -> Key:
        """See `KeySource`."""
        target = self._next if next_one else self._file
        text = fresh()
        try:
            if not target.parent.exists():
                target.parent.mkdir(parents=True, mode=0o700)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            with os.fdopen(descriptor, "w", encoding="ascii") as f:
                f.write(text + "\n")
                f.flush()
                os.fsync(f.fileno())
            sync_folder(target.parent)
        except FileExistsError:
            made = _read_file(target)  # somebody else was first
            if made is not None:
                return made
            raise KeyProblem(f"{target}: cannot be made, and is not there.", "Try again.") from None
        except OSError as e:
            raise KeyProblem(
                f"{target}: the key cannot be written ({e.strerror}).",
                "Give the service the right to, or name another file in [keys] file.",
            ) from e
        return parse(text, str(target))

    def promote(self) -> None:
        """See `KeySource`. One rename."""
        replace_file(self._next, self._file)


class VariableSource:
    """An environment variable; the next key stands in one whose name ends in `_NEXT`. Only the operator sets them."""

    def __init__(self, variable: str) -> None:
        self.place = f"${variable}"
        self._names = variable, f"{variable}_NEXT"

    def read(self) -> tuple[Key | None, Key | None]:
        """See `KeySource`."""
        first, second = (os.environ.get(n, "") for n in self._names)
        return (parse(first, self.place) if first else None), (parse(second, f"{self.place}_NEXT") if second else None)

    def make(self, next_one: bool) -> Key:
        """A process cannot set the variables of the service: raises KeyProblem."""
        name = self._names[next_one]
        raise KeyProblem(f"${name}: is not set.", "Make a key with `beeldwacht templates make-key` and set it there.")

    def promote(self) -> None:
        """Nothing to do here: the operator puts the next key in the place of the first."""


class KeyringSource:
    """The keyring of the operating system."""

    def __init__(self, entry: str) -> None:
        self.place = f"keyring entry beeldwacht/{entry}"
        self._entries = entry, f"{entry}.next"

    def read(self) -> tuple[Key | None, Key | None]:
        """See `KeySource`."""
        first, second = (_keyring(lambda k, e=e: k.get_password("beeldwacht", e)) for e in self._entries)
        return (parse(first, self.place) if first else None), (parse(second, self.place) if second else None)

    def make(self, next_one: bool) -> Key:
        """See `KeySource`."""
        text = fresh()
        _keyring(lambda k: k.set_password("beeldwacht", self._entries[next_one], text))
        return parse(text, self.place)

    def promote(self) -> None:
        """See `KeySource`. Set before deleted: a crash in between leaves both."""
        text = _keyring(lambda k: k.get_password("beeldwacht", self._entries[1]))
        if text:
            _keyring(lambda k: k.set_password("beeldwacht", self._entries[0], text))
            _keyring(lambda k: k.delete_password("beeldwacht", self._entries[1]))


def _read_file(path: Path) -> Key | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise KeyProblem(
            f"{path}: the key cannot be read ({e.strerror}).", "Run as the user that it belongs to."
        ) from e
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as f:
        info = os.fstat(f.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise KeyProblem(f"{path}: is not a file.", "Name the file that holds the key in [keys] file.")
        if info.st_mode & 0o077 or info.st_uid not in {0, os.geteuid()}:
            raise KeyProblem(
                f"{path}: others may read or change this key (mode {info.st_mode & 0o777:04o}).",
                f"Run `chmod 0400 {path}` as its owner. If others may have read it: `beeldwacht templates rotate-key`.",
            )
        return parse(f.read(4096), str(path))


def _keyring(step: Callable[..., str | None]) -> str | None:
    import keyring  # noqa: PLC0415 - looks for backends on import, and most installations use a file
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        return step(keyring)
    except (KeyringError, RuntimeError) as e:
        raise KeyProblem(
            f"The keyring of this system does not answer ({type(e).__name__}: {e}).",
            'Unlock it, or choose [keys] source = "file".',
        ) from e
