"""The key that signs the heads of the log, and which keys before it may be believed.

When the key is exchanged the old one signs which one follows, and the new one signs the next head, which holds the
hash of that: from the key that is here one comes back, step by step, to the first. A head that an old key signs after
its exchange is no head.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.errors import BeeldwachtError
from pipeline.files.template_keys import Key, KeySource, VariableSource
from pipeline.log.chain import EXCHANGED, RESTORED, Head, public_id

_BACK = "Put it back, from where you keep a copy."


class HeadKey:
    """The key that heads are signed with. It is made with the first head."""

    def __init__(self, source: KeySource) -> None:
        self.source = source

    def made_here(self) -> bool:
        """Whether there is a key that was made with the first head, not by the operator. Raises KeyProblem."""
        return not isinstance(self.source, VariableSource) and self.present()

    def present(self) -> bool:
        """Whether there is a key: then there are heads. Raises KeyProblem."""
        return self.source.read()[0] is not None

    def sign(self, head: Head, last: Head | None) -> Head:
        """The head after `last` with its signature; the very first makes the key.

        An exchange that was stopped is finished here. Raises KeyProblem, and BeeldwachtError when the key is not there
        or not the one that signed `last`.
        """
        return _signed(head, self._in_use(last, head.kind == RESTORED))

    def exchange(self, statement: Head, last: Head, first: Callable[[Head], Head]) -> tuple[Head, Head]:
        """Make the next key. Returns what the old key says of it, and the first head of the new one, made from that.

        Nothing is exchanged yet: `promote` does that when both are on the disk. Raises KeyProblem, BeeldwachtError.
        """
        now = self._in_use(last)
        following = self.source.read()[1] or self.source.make(next_one=True)
        said = _signed(replace(statement, kind=EXCHANGED, public=_public(now), following=_public(following)), now)
        return said, _signed(first(said), following)

    def _in_use(self, last: Head | None, any_key: bool = False) -> Key:
        now, following = self.source.read()
        expected = "" if last is None else last.following_id or last.key
        if following is not None and expected == key_id(following):
            self.source.promote()
            now = following
        if now is None and last is None:
            now = self.source.make(next_one=False)
        if now is None:
            raise BeeldwachtError(f"{self.source.place}: the key of the log is not there.", _BACK)
        if expected not in {"", key_id(now)} and not any_key:
            raise BeeldwachtError(
                f"{self.source.place}: the key here is not the one that signs the log now ({expected}).",
                "Put that one in its place, and start the service again.",
            )
        return now

    def believed(self, heads: Sequence[Head]) -> dict[str, str]:
        """The id of every key that heads may be signed with -> its public half, from the key that is here backwards.

        Raises KeyProblem, BeeldwachtError when there is no key.
        """
        known = {key_id(k): _public(k) for k in self.source.read() if k is not None}
        if not known:
            raise BeeldwachtError(
                f"{self.source.place}: the key of the log is not there: no head can be checked.", _BACK
            )
        for head in reversed(heads):
            if head.kind == EXCHANGED and head.following_id in known and public_id(head.public) == head.key:
                known.setdefault(head.key, head.public)
        return known

    def verifier(self, heads: Sequence[Head], also: Sequence[Head] = ()) -> Callable[[Head], bool]:
        """What tells of each of these heads whether it was signed with the key of its time.

        `also` are heads that tell of exchanges which these, as an old copy, may not know of. Raises like `believed`.
        """
        known = self.believed([*heads, *also])
        here = {key_id(k) for k in self.source.read() if k is not None}
        key = heads[-1].following_id or heads[-1].key if heads else ""
        if not also and key not in here:  # whoever has an old key must not end the log before its exchange
            key = next(iter(here))
        genuine = set()
        for head in reversed(heads):
            if head.kind == EXCHANGED and head.following_id == key:
                key = head.key
            if head.key == key and key in known and _fits(head, known[key]):
                genuine.add(head)
        return genuine.__contains__


def key_id(key: Key) -> str:
    """What names a signing key in its heads: the hash of its public half."""
    return public_id(_public(key))


def _signed(head: Head, key: Key) -> Head:
    named = replace(head, key=key_id(key))
    signature = Ed25519PrivateKey.from_private_bytes(key.secret).sign(named.signed())
    return replace(named, signature=base64.b64encode(signature).decode("ascii"))


def _fits(head: Head, public: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(head.signature, validate=True), head.signed())
    except (InvalidSignature, ValueError):
        return False
    return True


def _public(key: Key) -> str:
    raw = Ed25519PrivateKey.from_private_bytes(key.secret).public_key().public_bytes_raw()
    return base64.b64encode(raw).decode("ascii")
