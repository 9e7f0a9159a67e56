"""The configuration: everything wrong is said at once, and nothing unsafe starts."""

from pathlib import Path

import pytest

from pipeline.config import Redaction, load
from pipeline.errors import ConfigError
from pipeline.maintenance.init import init
from pipeline.redaction import styles


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "beeldwacht.toml"
    path.write_text(text)
    return path


def test_the_example_is_the_default(tmp_path: Path) -> None:
    from_example = load(init(tmp_path / "s"))
    empty = load(write(tmp_path, ""))
    assert from_example.model_copy(update={"root": tmp_path}) == empty.model_copy(update={"root": tmp_path})


def test_matching_is_off_until_somebody_answers_for_it(tmp_path: Path) -> None:
    assert not load(write(tmp_path, "")).matching.enabled
    with pytest.raises(ConfigError, match="dpia_reference"):
        load(write(tmp_path, "[matching]\nenabled = true\n"))
    with pytest.raises(ConfigError, match="dpia_reference"):
        load(write(tmp_path, '[matching]\nenabled = true\ndpia_reference = "  "\ndecided_by = "x"\n'))
    on = load(write(tmp_path, '[matching]\nenabled = true\ndpia_reference = "D1"\ndecided_by = "x"\n'))
    assert on.matching.enabled


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as e:
        load(write(tmp_path, 'chanels = ["a"]\n[watch]\nsettle_seconds = -1\n[redaction]\nstyle = "gauss"\n'))
    text = str(e.value)
    assert "chanels: unknown key" in text and "watch.settle_seconds" in text and "redaction.style" in text


@pytest.mark.parametrize(
    "text",
    [
        "channels = []",
        'channels = ["a", "a"]',
        'channels = ["../x"]',
        'channels = ["School"]',
        "[detection]\ndetectors = []",
        "[work]\nslots = 0",
        "[work]\nmax_megapixels = 1000",
        "this is not toml",
        "[redaction]\ncells = 40",
        '[redaction]\nchannels = { school = "gauss" }',
        '[redaction]\nchannels = { elsewhere = "blur" }',
        '[redaction]\ncover = "hair"',
    ],
)
def test_what_is_unsafe_or_unclear_stops_the_start(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load(write(tmp_path, text))


def test_a_channel_may_have_a_style_of_its_own(tmp_path: Path) -> None:
    found = load(write(tmp_path, '[redaction]\ncover = "head"\nchannels = { personal = "sticker" }')).redaction
    assert (found.style_of("school"), found.style_of("personal")) == ("blur", "sticker")
    assert found.recorded(("school", "personal")) == {
        "reach": "head",
        "styles": {"school": "blur", "personal": "sticker"},
    }
    assert found.reach.side > load(write(tmp_path, "")).redaction.reach.side


def test_variables_win_and_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEELDWACHT_WATCH__SETTLE_SECONDS", "2.5")
    settings = load(write(tmp_path, "[watch]\nsettle_seconds = 9\n"))
    assert settings.watch.settle_seconds == 2.5
    assert settings.path("inbox") == tmp_path / "inbox"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="beeldwacht init"):
        load(tmp_path / "beeldwacht.toml")


def test_init_never_overwrites_and_wants_both_halves_of_the_decision(tmp_path: Path) -> None:
    init(tmp_path, "DPIA 1", 'A. "de" Boer')
    settings = load(tmp_path / "beeldwacht.toml")
    assert settings.matching.enabled and settings.matching.decided_by == 'A. "de" Boer'
    with pytest.raises(ConfigError, match="already"):
        init(tmp_path)
    with pytest.raises(ConfigError, match="both"):
        init(tmp_path / "other", "DPIA 1", "")
    assert (tmp_path / "vault").stat().st_mode & 0o077 == 0


def test_covers_are_drawn_in_the_default_style_unless_somebody_says_otherwise() -> None:
    assert Redaction().style == styles.DEFAULT
