#!/usr/bin/env python3
"""How many decisions a person makes per 100 photos when each unknown face of an event is offered once.

    python -m bench.decisions --data ../shared/data [--cache DIR] [--photos 100] [--people 60] [--json]

Events of 100 photos with three unknown faces each, of 60 people of `lfw` (their probes, see bench/faces.py; who has few
photos comes back in the same one), through `pipeline.recognition.clusters`, as `beeldwacht event name` does. A
decision is one cluster. `mixed` are clusters that hold two people: there the person has to look closely.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from bench.faces import Seen, lfw
from pipeline.domain.types import Face
from pipeline.recognition.clusters import Unknown, clusters
from pipeline.recognition.matching import MatchSettings


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, help="keep the descriptions of the faces in this folder")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--faces", type=int, default=3, help="unknown faces in a photo")
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    a = parser.parse_args()
    _, probes = lfw(a.data, 500, a.cache)
    by_person: dict[str, list[Seen]] = {}
    for seen in probes:
        by_person.setdefault(seen.person, []).append(seen)
    many = [own for own in by_person.values() if len(own) >= 4]
    rows = []
    for event in range(a.events):
        rng = np.random.default_rng(event)
        people = [many[k] for k in rng.permutation(len(many))[: a.people]]
        unknown, truth = [], {}
        for photo in range(a.photos):
            for index, k in enumerate(rng.permutation(len(people))[: a.faces]):
                seen = people[k][rng.integers(len(people[k]))]
                unknown.append(Unknown(photo, Face(index, seen.detection, seen.vectors)))
                truth[photo, index] = seen.person
        found = clusters(unknown, MatchSettings().engines)
        mixed = sum(len({truth[u.item, u.face.index] for u in c}) > 1 for c in found)
        rows.append(
            {"faces": len(unknown), "people": len(set(truth.values())), "decisions": len(found), "mixed": mixed}
        )
        print(f"event {event}: {rows[-1]}", flush=True)
    each = [r["decisions"] * 100 / a.photos for r in rows]
    mixed, total = (sum(r[name] for r in rows) for name in ("mixed", "decisions"))
    print(
        f"{np.mean(each):.0f} decisions per 100 photos ({min(each):.0f} to {max(each):.0f}), face by face "
        f"{a.faces * 100}; {mixed} clusters of {total} hold two people"
    )
    if a.json:
        print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
