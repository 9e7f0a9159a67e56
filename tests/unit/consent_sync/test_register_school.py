"""The test school, built of real photographs: what the register allows is what the school says may be shown."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from consent_sync.loader import load
from pipeline.domain.types import Event, MatchResult, Medium, Reason, Signer
from pipeline.people.portrait_checks import plan_enrolment
from pipeline.rules.verdicts import judge, may_in, sixteenth_birthday

ON = date(2026, 11, 1)


@pytest.fixture(scope="module")
def make_school(shared_data: Path) -> ModuleType:
    script = shared_data.parent / "bench" / "make_school.py"
    if not script.is_file():
        pytest.skip(f"no {script}")
    spec = importlib.util.spec_from_file_location("make_school", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.shared
@pytest.mark.parametrize("ages", [(16, 60), (5, 15), (16, 17)])
def test_the_policy_agrees_with_the_school(
    make_school: ModuleType, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ages: tuple[int, int]
) -> None:
    kinds: dict[str, str] = {}
    person_row = make_school.person_row

    def remember(pid: str, name: str, group: str, kind: str, *rest: Any) -> Any:
        kinds[pid] = kind
        return person_row(pid, name, group, kind, *rest)

    monkeypatch.setattr(make_school, "person_row", remember)
    arguments = ["--faces", str(shared_data / "lfw"), "--out", str(tmp_path), "--pupils", "160", "--photos", "1"]
    ages_wanted = ["--min-age", str(ages[0]), "--max-age", str(ages[1])]
    monkeypatch.setattr(sys, "argv", ["make_school.py", *arguments, "--seed", "11", *ages_wanted])
    make_school.main()

    loaded = load(tmp_path / "register.csv", on=ON)
    assert loaded.problems == ()
    assert set(loaded.people) == set(kinds)
    register = loaded.register(1)
    own_too_early = 0
    for person_id, kind in kinds.items():
        person = register.people[person_id]
        row = register.consents[person_id, Medium.PHOTO, "school"]
        assert person.birth_date is not None
        # The school counts a pupil of 16 as shown whose own signature is older than the birthday. The law does not
        # (UAVG art. 5): a guardian should have signed then, and the pupil has to sign now. We cover.
        early = (
            row.signed_by is Signer.SELF
            and row.signed_on is not None
            and row.signed_on < sixteenth_birthday(person.birth_date) <= ON
        )
        for channel in make_school.CHANNELS:
            wanted = make_school.may_show(kind, channel)
            permission = may_in(register, person_id, Medium.PHOTO, channel, ON)
            sighting = MatchResult(0, person_id, None, person_id, 0.9, None, 0.5)
            (verdict,) = judge([sighting], register, Event("e"), channel, Medium.PHOTO, ON)
            if wanted and early:
                own_too_early += 1
                assert (permission.reason, verdict.reason) == (Reason.WRONG_SIGNER, Reason.WRONG_SIGNER)
                continue
            assert verdict.shown is wanted, (person_id, kind, verdict.reason)
            if kind == "no_matching" and not early:
                assert permission.allowed
                assert verdict.reason is Reason.NO_MATCHING_CONSENT
            else:
                assert permission.allowed is wanted
    assert (own_too_early > 0) is (ages[0] == 16)

    plan = plan_enrolment(register, loaded.portraits, ON)
    may_be_found = {p for p, kind in kinds.items() if kind in {"granted", "school_only"}}
    assert set(plan.enrol) <= may_be_found
    assert all(len(portraits) == 2 for portraits in plan.enrol.values())
    refused = Counter(r.reason for r in plan.refused if r.person_id in may_be_found)
    assert set(refused) <= {Reason.WRONG_SIGNER}
