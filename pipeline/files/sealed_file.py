"""Sealed files: AES-256-GCM in chunks under a key of the file's own, which is itself sealed under a key kept elsewhere.

    slot A (96 bytes) | slot B (96 bytes) | chunk 0 | chunk 1 | ... | last chunk

A slot holds the file's key, wrapped under the key whose id it names; one is in use, and the other takes the new
wrapping when keys are exchanged, so that a loss of power in between leaves one that opens. Each chunk of 1 MiB is
sealed under the nonce *counter, last?* (STREAM: Hoang, Reyhanitabar, Rogaway and Vizard, CRYPTO 2015), so that chunks
cannot be changed, moved, dropped or cut off at the end unnoticed. The wrapping is bound to the SHA-256 of what is
inside: a sealed file under another's name does not open. Memory is two chunks, whatever the size of the file.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.errors import KeyUnknown

CHUNK = 1 << 20
_TAG = 16
_NONCE = 12
_KEY = 32
_MARK = b"beeldwacht-sealed-1\n"
_SLOT = struct.Struct(f"20s16s{_NONCE}s{_KEY + _TAG}s")
_BODY = 2 * _SLOT.size
_EMPTY = bytes(_SLOT.size)


class EnvelopeError(Exception):
    """A sealed file was changed, cut off, or belongs under another name."""


class WrappingKey(Protocol):
    """The key that file keys are wrapped under, and its id of 16 letters."""

    @property
    def id(self) -> str:
        """Tells which key it is, and nothing about it."""
        ...

    @property
    def secret(self) -> bytes:
        """32 bytes."""
        ...


def seal(source: BinaryIO, out: BinaryIO, max_bytes: int, key: Callable[[], WrappingKey]) -> tuple[str, int]:
    """Seal everything in `source` into `out` (empty, seekable). Returns the SHA-256 and size of what is inside.

    Raises OverflowError past `max_bytes`, and what `key` raises; it is asked last.
    """
    digest, size, counter = hashlib.sha256(), 0, 0
    secret = secrets.token_bytes(_KEY)
    cipher = AESGCM(secret)
    out.write(_EMPTY * 2)
    chunk = source.read(CHUNK)
    while True:
        size += len(chunk)
        if size > max_bytes:
            raise OverflowError(f"more than {max_bytes} bytes")
        digest.update(chunk)
        following = source.read(CHUNK) if len(chunk) == CHUNK else b""
        out.write(cipher.encrypt(_nonce(counter, not following), chunk, None))
        if not following:
            break
        chunk, counter = following, counter + 1
    sha256 = digest.hexdigest()
    out.seek(0)
    out.write(_wrap(secret, sha256, key()))
    return sha256, size


def unseal(source: BinaryIO, sha256: str, key: Callable[[str], WrappingKey]) -> Iterator[bytes]:
    """The inside of a sealed file, piece by piece. What was yielded before an error must not be used.

    Raises EnvelopeError when it is not what was sealed under this SHA-256, and what `key` raises for a key id.
    """
    cipher = AESGCM(_unwrap(source, sha256, key)[0])
    source.seek(_BODY)
    counter, chunk = 0, source.read(CHUNK + _TAG)
    while True:
        following = source.read(CHUNK + _TAG) if len(chunk) == CHUNK + _TAG else b""
        try:
            yield cipher.decrypt(_nonce(counter, not following), chunk, None)
        except (InvalidTag, ValueError) as e:
            raise EnvelopeError(f"chunk {counter} is not what was sealed") from e
        if not following:
            return
        chunk, counter = following, counter + 1


def inside(source: BinaryIO) -> int:
    """How many bytes there are inside a sealed file."""
    body = source.seek(0, 2) - _BODY
    return body - _TAG * (-(-body // (CHUNK + _TAG)))


def unseal_part(
    source: BinaryIO, sha256: str, key: Callable[[str], WrappingKey], start: int, stop: int
) -> Iterator[bytes]:
    """Bytes `start` to before `stop` of the inside, piece by piece; each chunk is verified, the others are not read.

    Raises as `unseal`.
    """
    cipher = AESGCM(_unwrap(source, sha256, key)[0])
    last = -(-(source.seek(0, 2) - _BODY) // (CHUNK + _TAG)) - 1
    for counter in range(start // CHUNK, -(-stop // CHUNK)):
        source.seek(_BODY + counter * (CHUNK + _TAG))
        try:
            plain = cipher.decrypt(_nonce(counter, counter == last), source.read(CHUNK + _TAG), None)
        except (InvalidTag, ValueError) as e:
            raise EnvelopeError(f"chunk {counter} is not what was sealed") from e
        yield plain[max(0, start - counter * CHUNK) : stop - counter * CHUNK]


def sealed_under(source: BinaryIO) -> list[str]:
    """The ids of the keys that open a sealed file: one, or two while keys are exchanged. Raises EnvelopeError."""
    return [slot.key_id for slot in _slots(source)]


def rewrap(
    file: BinaryIO, sha256: str, key: Callable[[str], WrappingKey], new: WrappingKey, sync: Callable[[], None]
) -> bool:
    """Wrap the file's key under another one, in place; its contents are not touched. False when it was so already.

    Killed or without power at any moment, one of the two slots opens; again finishes it. Raises EnvelopeError.
    """
    slots = _slots(file)
    secret, opened = _unwrap(file, sha256, key)
    done = next((s for s in slots if s.key_id == new.id and s.open(new.secret, sha256) == secret), None)
    if done is not None and len(slots) == 1:
        return False
    place = done.place if done else 1 - opened.place
    if done is None:
        _write(file, place, _wrap(secret, sha256, new), sync)
    _write(file, 1 - place, _EMPTY, sync)
    return True


def destroy(file: BinaryIO, sync: Callable[[], None]) -> None:
    """Overwrite both slots: without the file's key its contents are noise, wherever copies of the blocks may be."""
    file.seek(0)
    file.write(secrets.token_bytes(_BODY))
    sync()


def _nonce(counter: int, last: bool) -> bytes:
    return counter.to_bytes(_NONCE - 1, "big") + bytes([last])


def _wrap(secret: bytes, sha256: str, key: WrappingKey) -> bytes:
    nonce, key_id = os.urandom(_NONCE), key.id.encode("ascii")
    return _SLOT.pack(_MARK, key_id, nonce, AESGCM(key.secret).encrypt(nonce, secret, _bound(sha256, key.id)))


def _bound(sha256: str, key_id: str) -> bytes:
    return _MARK + f"{key_id} {sha256}".encode()


@dataclass(frozen=True, slots=True)
class _Slot:
    place: int
    key_id: str
    nonce: bytes
    wrapped: bytes

    def open(self, secret: bytes, sha256: str) -> bytes | None:
        """The file's key; None when this is not what was wrapped, as after half a write."""
        try:
            return AESGCM(secret).decrypt(self.nonce, self.wrapped, _bound(sha256, self.key_id))
        except InvalidTag:
            return None


def _slots(file: BinaryIO) -> list[_Slot]:
    found = []
    for place in (0, 1):
        file.seek(place * _SLOT.size)
        data = file.read(_SLOT.size)
        if len(data) == _SLOT.size and data.startswith(_MARK):
            _, key_id, nonce, wrapped = _SLOT.unpack(data)
            found.append(_Slot(place, key_id.decode("ascii", "replace"), nonce, wrapped))
    if not found:
        raise EnvelopeError("there is no key in it")
    return found


def _unwrap(file: BinaryIO, sha256: str, key: Callable[[str], WrappingKey]) -> tuple[bytes, _Slot]:
    missing: KeyUnknown | None = None
    for slot in _slots(file):
        try:
            if (secret := slot.open(key(slot.key_id).secret, sha256)) is not None:
                return secret, slot
        except KeyUnknown as e:
            missing = e  # the other slot may be of a key that is here
    raise missing or EnvelopeError("the file's own key is not what was sealed, or this is another file's")


def _write(file: BinaryIO, place: int, data: bytes, sync: Callable[[], None]) -> None:
    file.seek(place * _SLOT.size)
    file.write(data)
    sync()
