"""Real files: nothing is lost, nothing is followed, nothing is overwritten."""

import hashlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.errors import IntakeError, OriginalGone, PublishError, RefusedFile
from pipeline.files.beneath import Folder, stamp_of
from pipeline.files.folders import Vault
from pipeline.files.rename import rename_no_replace
from tests.support.vaults import clear, take, vault_in

LIMIT = 1 << 30


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    v = vault_in(tmp_path)
    v.prepare()
    return v


def inside(vault: Vault, sha256: str) -> bytes:
    return b"".join(vault.originals.read(sha256))


def drop(vault: Vault, name: str = "e/a.jpg", data: bytes = b"photo") -> Path:
    path = vault.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_file_is_kept_under_its_hash_and_leaves_only_when_told(vault: Vault) -> None:
    path = drop(vault)
    stored = take(vault, path, LIMIT)
    assert stored.sha256 == hashlib.sha256(b"photo").hexdigest()
    assert inside(vault, stored.sha256) == b"photo"
    kept = vault.originals.path(stored.sha256)
    assert kept.stat().st_mode & 0o777 == 0o400 and b"photo" not in kept.read_bytes()
    assert path.exists()
    assert clear(vault, path, stored.stamp) and not path.exists()


def test_a_file_replaced_after_the_copy_stays(vault: Vault) -> None:
    path = drop(vault)
    stored = take(vault, path, LIMIT)
    path.unlink()
    drop(vault, data=b"another")
    assert not clear(vault, path, stored.stamp)
    assert path.read_bytes() == b"another"


def test_a_file_replaced_since_it_was_listed_is_not_taken(vault: Vault) -> None:
    path = drop(vault)
    listed = stamp_of(path.lstat())
    drop(vault, "e/new", data=b"other")
    (path.parent / "new").replace(path)
    with Folder.at(vault.inbox) as inbox, pytest.raises(IntakeError, match="is not what was listed"):
        vault.arrivals.take(inbox, "e/a.jpg", LIMIT, listed)
    assert path.read_bytes() == b"other" and not list(vault.originals.all())


def test_a_file_that_takes_the_place_of_a_taken_one_at_the_last_moment_stays(vault: Vault) -> None:
    path = drop(vault)
    stored = take(vault, path, LIMIT)
    drop(vault, "e/new", data=b"other")

    class LastMoment(Folder):
        """Somebody renames another file into its place as soon as it was looked at."""

        def info(self, name: str) -> os.stat_result | None:
            found = super().info(name)
            with suppress(FileNotFoundError):
                (path.parent / "new").rename(path)
            return found

    with LastMoment.at(vault.inbox) as inbox:
        assert not vault.arrivals.clear(inbox, "e/a.jpg", stored.stamp)
    assert [(p.name, p.read_bytes()) for p in path.parent.iterdir()] == [("a.jpg", b"other")]


def test_a_file_that_changes_while_it_is_read_is_not_taken(vault: Vault) -> None:
    path = drop(vault, data=os.urandom(8 << 20))
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            with path.open("r+b") as f:
                f.write(os.urandom(16))
            time.sleep(0.0005)

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        with pytest.raises(IntakeError, match="changed while it was read"):
            take(vault, path, LIMIT)
    finally:
        stop.set()
        thread.join()
    assert not list(vault.root.glob(".incoming-*"))


def test_links_pipes_and_sockets_are_refused_at_once(vault: Vault, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    link, pipe = vault.inbox / "l.jpg", vault.inbox / "p.jpg"
    link.symlink_to(secret)
    os.mkfifo(pipe)
    started = time.monotonic()
    with Folder.at(vault.inbox) as inbox:
        for path in (link, pipe):
            with pytest.raises(RefusedFile):
                vault.arrivals.take(inbox, path.name, LIMIT)
        assert time.monotonic() - started < 1
        assert vault.aside.put(inbox, "l.jpg", stamp_of(link.lstat()), "a link") is not None
    assert secret.read_bytes() == b"secret"
    aside = vault.quarantine / "unsorted" / "l.jpg"
    assert aside.is_symlink() and "a link" in (aside.parent / "l.jpg.reason.txt").read_text()


def test_a_file_over_the_limit_is_refused_without_being_read(vault: Vault) -> None:
    path = drop(vault)
    with path.open("wb") as f:
        f.truncate(1 << 40)
    started = time.monotonic()
    with pytest.raises(RefusedFile, match="max_file_mib"):
        take(vault, path, LIMIT)
    assert time.monotonic() - started < 1


def test_a_damaged_copy_in_the_vault_is_replaced(vault: Vault) -> None:
    path = drop(vault)
    stored = take(vault, path, LIMIT)
    original = vault.originals.path(stored.sha256)
    original.chmod(0o600)
    original.write_bytes(b"rotten")
    with pytest.raises(OriginalGone, match="damaged"):
        inside(vault, stored.sha256)
    take(vault, path, LIMIT)
    assert inside(vault, stored.sha256) == b"photo"


def test_quarantine_keeps_both_files_of_one_name_and_repeats_harmlessly(vault: Vault) -> None:
    one = take(vault, drop(vault, data=b"one"), LIMIT).sha256
    two = take(vault, drop(vault, data=b"two"), LIMIT).sha256
    for _ in range(2):
        vault.aside.copy(one, "e/a.jpg", "because")
        vault.aside.copy(two, "e/a.jpg", "because")
    files = sorted(p.name for p in (vault.quarantine / "e").iterdir())
    assert files == ["a-2.jpg", "a-2.jpg.reason.txt", "a.jpg", "a.jpg.reason.txt"]


def rendition(vault: Vault, data: bytes = b"covered") -> str:
    (vault.work / "1-1-school.partial").write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def test_a_release_is_one_rename_and_can_be_repeated(vault: Vault) -> None:
    sha = rendition(vault)
    for _ in range(2):
        vault.published.release("1-1-school.partial", "school", "e/a.jpg", sha)
    assert (vault.publish / "school" / "e" / "a.jpg").read_bytes() == b"covered"
    assert not list(vault.work.iterdir())


def test_nothing_in_the_publish_folder_is_overwritten(vault: Vault) -> None:
    theirs = vault.publish / "school" / "e" / "a.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    sha = rendition(vault)
    with pytest.raises(FileExistsError):
        vault.published.release("1-1-school.partial", "school", "e/a.jpg", sha)
    assert theirs.read_bytes() == b"theirs"


def test_a_rendition_that_changed_since_its_check_is_not_released(vault: Vault) -> None:
    sha = rendition(vault)
    (vault.work / "1-1-school.partial").write_bytes(b"original pixels")
    with pytest.raises(PublishError):
        vault.published.release("1-1-school.partial", "school", "e/a.jpg", sha)
    assert not (vault.publish / "school").exists() or not list((vault.publish / "school").rglob("*.jpg"))


def test_a_rendition_that_is_gone_is_said_so(vault: Vault) -> None:
    with pytest.raises(FileNotFoundError):
        vault.published.release("1-1-school.partial", "school", "e/a.jpg", "0" * 64)


def test_only_our_own_file_is_retracted(vault: Vault) -> None:
    sha = rendition(vault)
    vault.published.release("1-1-school.partial", "school", "e/a.jpg", sha)
    vault.published.retract("school", "e/a.jpg", "0" * 64)
    assert (vault.publish / "school/e/a.jpg").exists()
    vault.published.retract("school", "e/a.jpg", sha)
    assert not (vault.publish / "school/e/a.jpg").exists()


def test_rename_no_replace_across_threads_lets_one_win(tmp_path: Path) -> None:
    wins: list[int] = []

    def go(n: int) -> None:
        source = tmp_path / f"s{n}"
        source.write_text(str(n))
        try:
            rename_no_replace(source, tmp_path / "target")
        except FileExistsError:
            return
        wins.append(n)

    threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(wins) == 1 and (tmp_path / "target").read_text() == str(wins[0])


def test_the_stamp_tells_a_rewrite_with_the_old_time(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    before = path.stat()
    other = tmp_path / "b"
    other.write_bytes(b"54321")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert stamp_of(path.stat()) != stamp_of(before)
