"""Two of six: a film of six people through the whole program, and a sheet of frames of the result for the eye.

    python -m bench.contact_sheet --allow Chandler,Rachel [--frames 40] [--out sheet.jpg]

The register holds the six people of ../shared/data/friends, each with one portrait; those who are named with `--allow`
may be seen on films, the others may not. Prints the decision, and writes frames of the published film at equal
distances, five in a row, with their numbers. Whoever reads it looks at two things: are the allowed people visible
wherever their faces can be seen, and is nobody else ever.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from pipeline.domain.film import FilmLimits
from pipeline.reader.film.colour import rgb
from pipeline.reader.film.ffmpeg import default_tools
from pipeline.reader.film.frames import read_frames
from pipeline.reader.film.probe import probe
from tests.support.school import School

FRIENDS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "friends"
PEOPLE = ("Chandler", "Joey", "Monica", "Phoebe", "Rachel", "Ross")
WIDE, ACROSS = 480, 5


def published(home: Path, allowed: set[str]) -> Path:
    """The film as it was published on the school's channel of a new installation."""
    school = School(home)
    rows = [{"person_id": p, "film_school": "yes" if p in allowed else "no"} for p in PEOPLE]
    school.register(rows, {p: [FRIENDS / f"{p}.png"] for p in PEOPLE})
    (item,) = school.json("process", str(FRIENDS / "in_video.mp4"), ok=False)["items"]
    print(item["state"], item["reasons"], f"{item['seconds']} s")
    for (reason, person), n in Counter(
        (v["reason"], v["person"]) for v in item["verdicts"] if v["channel"] == "school"
    ).most_common():
        print(f"{n:4} tracks: {reason} {person or ''}")
    (film,) = [school.publish / p for p in school.published() if p.startswith("school/")]
    return film


def sheet(film: Path, frames: int, target: Path) -> None:
    """Write so many frames of a film, at equal distances, on one picture."""
    tools = default_tools()
    facts = probe(film, FilmLimits(), tools)
    total = int(facts.video_end * facts.rate)
    high = round(facts.height * WIDE / facts.width)
    page = np.zeros((-(-frames // ACROSS) * high, ACROSS * WIDE, 3), np.uint8)
    wanted = frozenset(n * total // frames for n in range(frames))
    for place, (number, frame) in enumerate(read_frames(film, facts, tools, only=wanted)):
        picture = cv2.resize(rgb(frame, facts.matrix)[:, :, ::-1], (WIDE, high), interpolation=cv2.INTER_AREA)
        cv2.putText(picture, str(number), (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 255, 255), 1)
        top, left = place // ACROSS * high, place % ACROSS * WIDE
        page[top : top + high, left : left + WIDE] = picture
    cv2.imwrite(str(target), page)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description="A film in which some of six may be seen, as a sheet of frames.")
    parser.add_argument("--allow", default="Chandler,Rachel", help="ids, separated by commas")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("sheet.jpg"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sheet(published(Path(folder) / "school", set(given.allow.split(","))), given.frames, given.out)
    print(given.out)


if __name__ == "__main__":
    main()
