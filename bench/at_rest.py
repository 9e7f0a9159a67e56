"""What sealing costs: keeping, opening and rewrapping originals, in processor time.

python -m bench.at_rest [MIB]
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from pipeline.config import Keys
from pipeline.files.beneath import Folder
from pipeline.files.folders import Vault
from pipeline.files.original_keys import OriginalKeys
from pipeline.files.template_keys import source_of

PHOTOS = 200
PHOTO = 5 << 20


def measured(what: str, size: int) -> float:
    """Print the processor time since the last call, and how many MiB a second that is."""
    now = time.process_time()
    spent = now - measured.last  # type: ignore[attr-defined]
    measured.last = time.process_time()  # type: ignore[attr-defined]
    print(f"{what}: {spent:.2f} s of processor time" + (f", {(size >> 20) / spent:.0f} MiB/s" if size else ""))
    return spent


def main(mib: int) -> None:
    """Keep and open one film of so many MiB and two hundred photos of 5 MiB."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        keys = OriginalKeys(source_of(Keys(), home, home / "data", "originals"), home / "vault")
        vault = Vault(*(home / n for n in ("inbox", "publish", "quarantine", "vault", "work")), keys=keys)
        vault.prepare()
        film = vault.inbox / "film.mp4"
        block = os.urandom(1 << 20)
        with film.open("wb") as f:
            for n in range(mib):
                f.write(n.to_bytes(8, "big") + block[8:])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        measured.last = time.process_time()  # type: ignore[attr-defined]
        with Folder.at(vault.inbox) as inbox:
            sha256 = vault.arrivals.take(inbox, film.name, mib << 20).sha256
        measured(f"a film of {mib} MiB kept (read, hashed, sealed, opened again and compared)", mib << 20)
        with vault.opened(sha256):
            measured("the film opened for a child", mib << 20)
        print(f"memory more than before: {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10} MiB")
        film.unlink()
        vault.originals.destroy(sha256)
        for n in range(PHOTOS):
            (vault.inbox / f"{n}.jpg").write_bytes(n.to_bytes(8, "big") + block[8:] + block * 4)
        measured.last = time.process_time()  # type: ignore[attr-defined]
        with Folder.at(vault.inbox) as inbox:
            hashes = [vault.arrivals.take(inbox, f"{n}.jpg", PHOTO).sha256 for n in range(PHOTOS)]
        per_photo = measured(f"{PHOTOS} photos of 5 MiB kept", PHOTOS * PHOTO) / PHOTOS
        for one in hashes:
            with vault.opened(one):
                pass
        per_photo += measured(f"{PHOTOS} photos opened", PHOTOS * PHOTO) / PHOTOS
        print(f"for each photo {1000 * per_photo:.1f} ms")
        keys.exchange(vault.originals.rewrap)
        measured(f"{PHOTOS} originals under a new key", 0)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
