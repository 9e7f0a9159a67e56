"""Sealing templates, the places of their key, and exchanging it, killed at every step."""

import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Keys
from pipeline.domain.types import SealedTemplate, Template
from pipeline.files import template_keys
from pipeline.files.template_keys import (
    FileSource,
    Key,
    KeyMissing,
    KeyProblem,
    KeySource,
    TemplateKeys,
    VariableSource,
)
from pipeline.store import Store

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
WEIGHTS = {"sface": "a" * 64, "dlib": "b" * 64}


def template(person: str = "P1", engine: str = "sface", n: int = 0) -> Template:
    vector = np.random.default_rng(n).normal(size=128).astype(np.float32)
    return Template(person, f"{n:064x}", engine, vector / np.linalg.norm(vector), date(2026, 9, 1))


def key() -> Key:
    return template_keys.parse(template_keys.fresh(), "test")


def filled(store: Store, held: TemplateKeys, people: int = 3) -> list[Template]:
    made = [template(f"P{i}", engine, i) for i in range(people) for engine in WEIGHTS]
    sealed = [template_keys.seal(t, WEIGHTS[t.engine], held.current(make=True)) for t in made]
    store.templates.enrol(NOW, "t", sealed, {t.person_id: {t.portrait_sha256} for t in made}, WEIGHTS, {}, ())
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "data").mkdir()
    return Store(f"sqlite:///{tmp_path / 'data' / 'b.db'}")


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    return FileSource(tmp_path / "keys" / "t.key", tmp_path / "data")


def opened(store: Store, held: TemplateKeys) -> list[Template]:
    return [template_keys.unseal(t, held.current()) for t in store.templates.all(WEIGHTS)]


def test_what_is_sealed_can_be_opened_and_shows_nothing() -> None:
    t, k = template(), key()
    sealed = template_keys.seal(t, WEIGHTS["sface"], k)
    back = template_keys.unseal(sealed, k)
    assert np.array_equal(back.vector, t.vector) and back.dated == t.dated
    assert t.vector.tobytes()[:16] not in sealed.sealed and len(sealed.nonce) == 12
    assert template_keys.seal(t, WEIGHTS["sface"], k).nonce != sealed.nonce
    assert k.secret.hex() not in repr(k) and repr(k.secret) not in repr(k)


@pytest.mark.parametrize(
    "change",
    [
        {"person_id": "P2"},
        {"engine": "dlib"},
        {"weights_sha256": "c" * 64},
        {"portrait_sha256": "d" * 64},
        {"dated": date(2026, 9, 2)},
        {"key_id": "0" * 16},
        {"nonce": b"0" * 12},
        {"sealed": b"x" * 528},
        {"sealed": b""},
        {"nonce": b""},
    ],
)
def test_a_row_that_was_moved_or_changed_does_not_open(change: dict[str, object]) -> None:
    k = key()
    sealed = template_keys.seal(template(), WEIGHTS["sface"], k)
    with pytest.raises(KeyMissing, match="enrolled again"):
        template_keys.unseal(replace(sealed, **change), k)  # type: ignore[arg-type]
    with pytest.raises(KeyMissing):
        template_keys.unseal(sealed, key())


@given(st.integers(0, 527), st.integers(1, 255))
def test_no_byte_can_be_changed(place: int, by: int) -> None:
    k = Key("k" * 16, b"s" * 32)
    sealed = template_keys.seal(template(), WEIGHTS["sface"], k)
    data = bytearray(sealed.sealed)
    data[place] ^= by
    with pytest.raises(KeyMissing):
        template_keys.unseal(replace(sealed, sealed=bytes(data)), k)


def test_the_file_is_made_once_and_for_its_owner_alone(source: FileSource, store: Store) -> None:
    held = TemplateKeys(source, store.templates.key_id)
    with pytest.raises(KeyMissing, match="no key for templates yet"):
        held.current()
    made = held.current(make=True)
    file = Path(source.place)
    assert stat.S_IMODE(file.stat().st_mode) == 0o400 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert held.current(make=True) == made and source.make(next_one=False) == made


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o420, 0o402, 0o410, 0o666])
def test_a_key_that_others_may_touch_is_refused(source: FileSource, mode: int) -> None:
    source.make(next_one=False)
    Path(source.place).chmod(mode)
    with pytest.raises(KeyProblem, match="chmod 0400"):
        source.read()


@pytest.mark.parametrize(
    "text", ["", "x", "beeldwacht-key-1:", "beeldwacht-key-1:AAAA", "beeldwacht-key-1:" + "%" * 44]
)
def test_what_is_no_key_is_refused_and_not_shown(source: FileSource, text: str) -> None:
    file = Path(source.place)
    file.parent.mkdir()
    file.write_text(text + "\n")
    file.chmod(0o400)
    with pytest.raises(KeyProblem) as e:
        source.read()
    said = text.removeprefix("beeldwacht-key-1:")
    assert len(said) < 4 or said not in str(e.value)


def test_a_key_in_the_data_folder_or_through_a_link_into_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for place in (tmp_path / "data" / "k", tmp_path / "link" / "k", tmp_path / "x" / ".." / "data" / "k"):
        with pytest.raises(KeyProblem, match="data folder"):
            FileSource(place, tmp_path / "data")


def test_a_lost_or_wrong_key_says_what_to_do_and_makes_no_new_one(source: FileSource, store: Store) -> None:
    held = TemplateKeys(source, store.templates.key_id)
    filled(store, held)
    file = Path(source.place)
    kept = file.read_text()
    file.unlink()
    for make in (False, True):
        with pytest.raises(KeyMissing, match="every face is covered"):
            held.current(make=make)
    assert not file.exists()
    file.write_text(template_keys.fresh())
    file.chmod(0o400)
    with pytest.raises(KeyMissing, match="is not the one"):
        held.current(make=True)
    file.chmod(0o600)
    file.write_text(kept)
    file.chmod(0o400)
    assert len(opened(store, held)) == 6


def test_a_key_is_exchanged_and_the_old_one_is_worth_nothing(source: FileSource, store: Store) -> None:
    held = TemplateKeys(source, store.templates.key_id)
    made = filled(store, held)
    before = held.current()
    count, after = template_keys.rotate(held, store.templates.reseal, NOW, "t")
    assert count == 6 and held.current().id == after != before.id
    assert [t.vector.tolist() for t in opened(store, held)] == [t.vector.tolist() for t in made]
    for sealed in store.templates.all():
        with pytest.raises(KeyMissing):
            template_keys.unseal(sealed, before)
    assert [p.name for p in Path(source.place).parent.iterdir()] == ["t.key"]
    entry = list(store.journal.entries(kind="templates.key_exchanged"))
    assert len(entry) == 1 and before.secret.hex() not in entry[0].body


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


def dies_in(step: str, source: FileSource, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop an exchange after the next key was made, in the middle of sealing, or before the new key takes its place."""

    def stop(*_: object, **__: object) -> None:
        raise Killed

    held = TemplateKeys(source, store.templates.key_id)
    with monkeypatch.context() as m, pytest.raises(Killed):
        reseal: Callable[..., int] = store.templates.reseal
        if step == "made":
            reseal = stop  # type: ignore[assignment]
        elif step == "sealing":
            seal, left = template_keys.seal, [3]

            def some(*a: object) -> SealedTemplate:
                left[0] -= 1
                return seal(*a) if left[0] else stop()  # type: ignore[arg-type, return-value]

            m.setattr(template_keys, "seal", some)
        else:
            m.setattr(source, "promote", stop)
        template_keys.rotate(held, reseal, NOW, "t")


@pytest.mark.parametrize("step", ["made", "sealing", "sealed"])
def test_an_exchange_that_is_killed_loses_nothing_and_can_be_finished(
    step: str, source: FileSource, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled(store, TemplateKeys(source, store.templates.key_id))
    old = store.templates.key_id()
    dies_in(step, source, store, monkeypatch)
    assert {p.name for p in Path(source.place).parent.iterdir()} == {"t.key", "t.key.next"}
    held = TemplateKeys(source, store.templates.key_id)
    assert len(opened(store, held)) == len(made)
    assert (store.templates.key_id() == old) is (step != "sealed")
    template_keys.rotate(held, store.templates.reseal, NOW, "t")
    assert len(opened(store, held)) == len(made) and store.templates.key_id() != old
    assert [p.name for p in Path(source.place).parent.iterdir()] == ["t.key"]


def test_who_sealed_with_the_old_key_while_it_was_exchanged_is_refused(source: FileSource, store: Store) -> None:
    held = TemplateKeys(source, store.templates.key_id)
    filled(store, held)
    late = template_keys.seal(template("P9", n=9), WEIGHTS["sface"], held.current())
    template_keys.rotate(held, store.templates.reseal, NOW, "t")
    with pytest.raises(Exception, match="exchanged meanwhile"):
        store.templates.enrol(NOW, "t", [late], {"P9": {late.portrait_sha256}}, WEIGHTS, {}, ())
    assert len(opened(store, held)) == 6  # nothing was deleted either


def test_a_key_in_the_environment_is_exchanged_by_the_operator(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    source = VariableSource("BW_TEST_KEY")
    held = TemplateKeys(source, store.templates.key_id)
    with pytest.raises(KeyProblem, match="is not set"):
        held.current(make=True)
    monkeypatch.setenv("BW_TEST_KEY", template_keys.fresh())
    filled(store, held)
    with pytest.raises(KeyProblem, match="BW_TEST_KEY_NEXT"):
        template_keys.rotate(held, store.templates.reseal, NOW, "t")
    monkeypatch.setenv("BW_TEST_KEY_NEXT", template_keys.fresh())
    template_keys.rotate(held, store.templates.reseal, NOW, "t")
    assert len(opened(store, held)) == 6
    monkeypatch.setenv("BW_TEST_KEY", os.environ["BW_TEST_KEY_NEXT"])
    monkeypatch.delenv("BW_TEST_KEY_NEXT")
    assert len(opened(store, held)) == 6


def test_a_key_in_a_keyring(store: Store, tmp_path: Path) -> None:
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.errors import PasswordDeleteError

    class InFiles(KeyringBackend):
        """A keyring that keeps each secret in a file of its own."""

        priority = 1  # type: ignore[assignment]

        def get_password(self, service: str, username: str) -> str | None:
            file = tmp_path / f"{service}-{username}"
            return file.read_text() if file.exists() else None

        def set_password(self, service: str, username: str, password: str) -> None:
            (tmp_path / f"{service}-{username}").write_text(password)

        def delete_password(self, service: str, username: str) -> None:
            if self.get_password(service, username) is None:
                raise PasswordDeleteError
            (tmp_path / f"{service}-{username}").unlink()

    before = keyring.get_keyring()
    keyring.set_keyring(InFiles())
    try:
        source: KeySource = template_keys.source_of(Keys(source="keyring"), tmp_path, tmp_path / "data")
        held = TemplateKeys(source, store.templates.key_id)
        filled(store, held)
        template_keys.rotate(held, store.templates.reseal, NOW, "t")
        assert len(opened(store, held)) == 6
        assert sorted(p.name for p in tmp_path.glob("beeldwacht-*")) == ["beeldwacht-templates"]
    finally:
        keyring.set_keyring(before)


def test_a_keyring_that_does_not_answer_is_a_clear_error(store: Store) -> None:
    import keyring
    from keyring.backends import fail

    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    try:
        with pytest.raises(KeyProblem, match="does not answer"):
            TemplateKeys(template_keys.KeyringSource("templates"), store.templates.key_id).current(make=True)
    finally:
        keyring.set_keyring(before)


def test_deleted_templates_are_nowhere_in_the_files_of_the_database(
    source: FileSource, store: Store, tmp_path: Path
) -> None:
    filled(store, TemplateKeys(source, store.templates.key_id), people=50)
    sealed = [t.sealed for t in store.templates.all()]
    store.templates.enrol(NOW, "t", [], {"P1": {f"{1:064x}"}}, WEIGHTS, {}, ())
    left = [t.sealed for t in store.templates.all()]
    data = b"".join(p.read_bytes() for p in (tmp_path / "data").iterdir())
    assert len(sealed) == 100 and len(left) == 2
    assert [s in data for s in sealed] == [s in left for s in sealed]


def test_nothing_of_a_vector_is_in_the_database(source: FileSource, store: Store, tmp_path: Path) -> None:
    made = filled(store, TemplateKeys(source, store.templates.key_id))
    secret = source.read()[0]
    data = b"".join(p.read_bytes() for p in (tmp_path / "data").iterdir())
    assert secret and secret.secret not in data and secrets.token_bytes(16) not in data
    for t in made:
        assert t.vector.astype("<f4").tobytes()[:12] not in data
