"""Originals at rest: sealed, every change found, opened by their own key only, destroyed for good."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import IntakeError, KeyUnknown, OriginalGone
from pipeline.files import sealed_file
from pipeline.files.folders import Vault
from pipeline.files.sealed_file import CHUNK, EnvelopeError
from pipeline.files.template_keys import Key, KeyMissing
from tests.support.vaults import keys_of, take, vault_in

ONE = Key("1" * 16, b"1" * 32)
TWO = Key("2" * 16, b"2" * 32)
LIMIT = 1 << 30


def sealed(data: bytes, key: Key = ONE) -> tuple[bytearray, str]:
    out = io.BytesIO()
    sha256, size = sealed_file.seal(io.BytesIO(data), out, LIMIT, lambda: key)
    assert (sha256, size) == (hashlib.sha256(data).hexdigest(), len(data))
    return bytearray(out.getvalue()), sha256


def ring(*keys: Key) -> Callable[[str], Key]:
    def find(key_id: str) -> Key:
        for key in keys:
            if key.id == key_id:
                return key
        raise KeyUnknown("not here")

    return find


def opened(data: bytes, sha256: str, *keys: Key) -> bytes:
    return b"".join(sealed_file.unseal(io.BytesIO(data), sha256, ring(*(keys or (ONE,)))))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_what_is_sealed_comes_out_and_stands_nowhere_in_the_file(size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311
    file, sha256 = sealed(data)
    assert opened(file, sha256) == data
    assert size < 64 or not any(data[i : i + 16] in file for i in range(0, size - 16, 65_536))
    again, _ = sealed(data)
    assert again != file  # another key each time: equal files cannot be told from their sealed ones


@pytest.mark.parametrize("size", [1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_a_part_of_what_is_sealed_is_read_without_the_rest_and_not_when_it_was_changed(size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311
    file, sha256 = sealed(data)
    assert sealed_file.inside(io.BytesIO(file)) == size
    cuts = sorted({0, 1, size // 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, size - 1, size} & set(range(size + 1)))
    for start in cuts:
        for stop in (c for c in cuts if c > start):
            got = b"".join(sealed_file.unseal_part(io.BytesIO(file), sha256, ring(ONE), start, stop))
            assert got == data[start:stop], (start, stop)
    file[-1] ^= 1
    with pytest.raises(EnvelopeError):
        b"".join(sealed_file.unseal_part(io.BytesIO(file), sha256, ring(ONE), size - 1, size))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_change_to_a_sealed_file_is_found(data: st.DataObject) -> None:
    file, sha256 = sealed(FILM)
    part = CHUNK + 16
    kind = data.draw(st.sampled_from(["flip", "cut", "append", "swap", "drop", "repeat", "name"]))
    body = 192
    if kind == "flip":  # the unused slot aside: there is nothing in it
        at = data.draw(st.one_of(st.integers(0, 95), st.integers(body, len(file) - 1)))
        file[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del file[data.draw(st.one_of(st.integers(0, len(file) - 1), st.sampled_from([body, body + part]))) :]
    elif kind == "append":
        file += data.draw(st.binary(min_size=1, max_size=64))
    elif kind == "swap":
        file[body : body + 2 * part] = file[body + part : body + 2 * part] + file[body : body + part]
    elif kind == "drop":
        del file[body : body + part]
    elif kind == "repeat":
        file[body:body] = file[body : body + part]
    else:
        sha256 = hashlib.sha256(b"another").hexdigest()
    with pytest.raises((EnvelopeError, KeyUnknown)):
        opened(file, sha256)


FILM = random.Random(1).randbytes(2 * CHUNK + 100)  # noqa: S311


def test_an_exchange_of_keys_leaves_one_that_opens_wherever_it_is_stopped() -> None:
    data, sha256 = sealed(b"photo" * 1000)
    writes: list[bytes] = []

    class Disk(io.BytesIO):
        def write(self, given: bytes) -> int:  # type: ignore[override]
            for length in range(len(given) + 1):  # a loss of power in the middle of a write, at every byte
                torn = bytearray(self.getvalue())
                torn[self.tell() : self.tell() + length] = given[:length]
                writes.append(bytes(torn))
            return super().write(given)

    disk = Disk(bytes(data))
    assert sealed_file.rewrap(disk, sha256, ring(ONE, TWO), TWO, lambda: None)
    assert not sealed_file.rewrap(disk, sha256, ring(ONE, TWO), TWO, lambda: None)
    assert len(writes) == 2 * 97
    for state in writes:
        assert opened(state, sha256, ONE, TWO) == b"photo" * 1000
        after = io.BytesIO(state)
        sealed_file.rewrap(after, sha256, ring(ONE, TWO), TWO, lambda: None)
        assert sealed_file.sealed_under(after) == [TWO.id]
        assert opened(after.getvalue(), sha256, TWO) == b"photo" * 1000
    with pytest.raises((EnvelopeError, KeyUnknown)):
        opened(disk.getvalue(), sha256, ONE)


# --- in a vault -----------------------------------------------------------------------------------------------


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    v = vault_in(tmp_path)
    v.prepare()
    return v


def kept(vault: Vault, data: bytes) -> str:
    path = vault.inbox / "a.jpg"
    path.write_bytes(data)
    return take(vault, path, LIMIT).sha256


def read(vault: Vault, sha256: str) -> bytes:
    return b"".join(vault.originals.read(sha256))


def test_a_plain_copy_is_there_only_while_it_is_looked_at(vault: Vault) -> None:
    sha256 = kept(vault, b"photo")
    with vault.opened(sha256) as plain:
        assert plain.read_bytes() == b"photo" and plain.stat().st_mode & 0o777 == 0o400
        assert plain.parent == vault.work
        assert vault.clean_work(set()) == 0 and plain.exists()  # another start of the service leaves it alone
    assert not list(vault.work.iterdir())


def test_what_a_killed_process_left_open_goes_at_the_next_start(vault: Vault, tmp_path: Path) -> None:
    sha256 = kept(vault, b"photo")
    program = (
        "import os, signal, sys; from pathlib import Path; from tests.support.vaults import take, vault_in\n"
        "with vault_in(Path(sys.argv[1])).opened(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path), sha256], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(list(vault.work.iterdir())) == 1
    assert vault.clean_work(set()) == 1 and not list(vault.work.iterdir())


def test_an_original_kept_before_there_was_a_key_is_read_and_then_sealed(vault: Vault) -> None:
    data = os.urandom(3 * CHUNK)
    sha256 = hashlib.sha256(data).hexdigest()
    plain = vault.root / sha256[:2] / sha256
    plain.parent.mkdir()
    plain.write_bytes(data)
    assert read(vault, sha256) == data and list(vault.originals.all()) == [sha256]
    assert vault.originals.seal_plain(LIMIT) == 1 and vault.originals.seal_plain(LIMIT) == 0
    assert not plain.exists() and read(vault, sha256) == data
    damaged = vault.root / sha256[:2] / (sha256[:-1] + "x")
    damaged.write_bytes(b"not what its name says")
    assert vault.originals.seal_plain(LIMIT) == 0 and damaged.exists()


def test_without_its_key_nothing_is_taken_and_nothing_is_opened(vault: Vault, tmp_path: Path) -> None:
    sha256 = kept(vault, b"photo")
    key = tmp_path / "keys" / "originals.key"
    aside = key.rename(tmp_path / "aside")
    with pytest.raises(KeyUnknown):
        read(vault, sha256)
    with pytest.raises(IntakeError, match="cannot be kept"):
        kept(vault, b"another")
    with pytest.raises(KeyMissing):
        vault.ready()
    assert not key.exists()  # a new key would hide that the old one is lost
    aside.rename(key)
    vault.ready()
    assert read(vault, sha256) == b"photo"


def test_keys_are_exchanged_while_others_read_and_keep(vault: Vault, tmp_path: Path) -> None:
    hashes = [kept(vault, f"photo {n}".encode()) for n in range(20)]
    keys = keys_of(tmp_path)
    before = keys.sealing().id
    old = (tmp_path / "keys" / "originals.key").read_text()
    count, after = keys.exchange(vault.originals.rewrap)
    assert (count, keys.sealing().id) == (20, after) and before != after
    assert [read(vault, h) for h in hashes] == [f"photo {n}".encode() for n in range(20)]
    assert old not in (tmp_path / "keys" / "originals.key").read_text()
    assert all(p.stat().st_mode & 0o777 == 0o400 for p in vault.root.rglob("*.sealed"))


def test_an_exchange_that_was_stopped_is_finished_by_the_next_one(vault: Vault, tmp_path: Path) -> None:
    sha256 = kept(vault, b"photo")
    keys = keys_of(tmp_path)
    following = keys.source.make(next_one=True)  # stopped before anything was wrapped
    assert read(vault, sha256) == b"photo" and kept(vault, b"meanwhile")
    vault.originals.rewrap(following)  # stopped before the key took its place
    assert read(vault, sha256) == b"photo"
    assert keys.sealing().id == following.id and read(vault, kept(vault, b"after")) == b"after"
    assert not (tmp_path / "keys" / "originals.key.next").exists()


def test_a_destroyed_original_cannot_be_opened_from_what_is_left_of_its_blocks(vault: Vault) -> None:
    sha256 = kept(vault, b"photo")
    with vault.originals.path(sha256).open("rb") as blocks:  # as an undelete tool sees them
        assert vault.originals.destroy(sha256) and not vault.originals.destroy(sha256)
        with pytest.raises(EnvelopeError):
            list(sealed_file.unseal(blocks, sha256, keys_of(vault.root.parent).opening))
    assert not vault.originals.present(sha256)
    with pytest.raises(OriginalGone, match="not in the vault any more"):
        read(vault, sha256)


def test_a_large_film_takes_little_memory(vault: Vault) -> None:
    path = vault.inbox / "film.mp4"
    with path.open("wb") as f:
        f.truncate(256 << 20)
    tracemalloc.start()
    try:
        sha256 = take(vault, path, LIMIT).sha256
        with vault.opened(sha256) as plain:
            assert plain.stat().st_size == 256 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
