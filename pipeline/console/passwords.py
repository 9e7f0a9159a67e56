"""Which passwords may be used: long ones that are not among the first that somebody would try (NIST SP 800-63B)."""

from __future__ import annotations

import threading

from zxcvbn import zxcvbn

from pipeline.store.accounts import AccountError

SHORTEST = 12
LONGEST = 200
_GUESSES = 10.0
"""Powers of ten: what zxcvbn calls safe also from somebody who has stolen the hash."""
_LOOKED_AT = 72
"""Characters that zxcvbn takes; a longer password is no weaker."""
_DUTCH = [
    *("wachtwoord", "welkom", "geheim", "school", "basisschool", "leerling", "docent", "meester", "juf"),
    *("klas", "vakantie", "beeldwacht", "lente", "zomer", "herfst", "winter", "januari", "februari", "maart"),
    *("april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december", "maandag"),
    *("dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag", "nederland", "amsterdam"),
    *("rotterdam", "utrecht", "ajax", "feyenoord", "sinterklaas", "hallo"),
]
"""What the lists of zxcvbn (30,000 common passwords, English words, names) do not have."""
_one_at_a_time = threading.Lock()


def checked(password: str, name: str) -> str:
    """A password that may be used. Raises AccountError; nothing about it leaves this machine."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(f"A password has {SHORTEST} to {LONGEST} characters.", "Four words in a row are good.")
    known = [*_DUTCH, name.casefold()]
    with _one_at_a_time:  # zxcvbn keeps the words it is given in a table of its own
        guesses = float(zxcvbn(password[:_LOOKED_AT], known)["guesses_log10"])
    if guesses < _GUESSES or name.casefold() in password.casefold():
        raise AccountError("This password is too easy to guess.", "Four words in a row are good.")
    return password
