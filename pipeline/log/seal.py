"""Texts that the log has to prove and must be able to forget: it holds their salted hash, a table holds the text. Pure.

Without the text nobody learns it from the hash, because the salt goes with the text; with both anybody sees that it is
the text of that entry. So a text can be erased, and the chain stays whole (GDPR art. 17).
"""

from __future__ import annotations

import hashlib


def sealed(text: str, salt: str) -> str:
    """The hash that an entry holds, as hexadecimal. `salt` is random, 32 hexadecimal digits, and kept with the text."""
    return hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()
