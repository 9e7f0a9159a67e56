"""A few seconds of bench/fuzz.py with a fixed seed; what longer runs found has its tests where the mistake was."""

from pathlib import Path

import pytest

from bench.fuzz import Tally, plain, run, seeds

INPUTS = {"photo": 150, "film": 12, "csv": 250, "xlsx": 120, "event": 1500}
"""Changed inputs each, beside the files they begin with: about two seconds of work."""


@pytest.mark.parametrize("target", INPUTS)
def test_changed_files_end_in_a_result_or_a_reason(target: str, tmp_path: Path) -> None:
    starts = seeds(target, None)
    found = run(target, plain(target, starts, 11, 300, len(starts) + INPUTS[target]), tmp_path, None)
    assert found.broken == ()
    assert found.inputs == len(starts) + INPUTS[target] and found.through and found.refused


def test_the_harness_sees_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that forgets one kind of error is found, within the same inputs."""
    import tomllib

    from pipeline.domain.types import Event
    from pipeline.intake import event_file

    def careless(name: str, text: str) -> Event:
        tomllib.loads(text)
        return Event(name)

    monkeypatch.setattr(event_file, "parse", careless)
    found: Tally = run("event", plain("event", seeds("event", None), 11, 60, 200), tmp_path, None)
    assert any("TOMLDecodeError" in why for why in found.broken)


def test_a_zip_with_a_member_without_a_name_is_read(tmp_path: Path) -> None:
    """Found by fuzzing: `is_dir` of Python 3.11 looks at the last letter of a name that has none."""
    import io
    import zipfile

    from consent_sync.sources.zip_archive import Archive

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.csv", "y")
        nameless = zipfile.ZipInfo("x")
        nameless.filename = ""
        with file.open(nameless, "w") as member:
            member.write(b"x")
    assert Archive("register.zip", buffer.getvalue()).read("a.csv") == b"y"
