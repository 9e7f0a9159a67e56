"""The main job on a demo school: photos into the inbox of a running service, covered copies out of it.

    python -m examples.demo [--watch]

Everything lands under demo/: a school with a register, portraits and signed forms, made of real photographs that
ship in pinned packages (see models/downloads/samples.toml), what was published, and demo/before-after.jpg to look at.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from models.downloads import manifest
from pipeline.output import out, say, table

ROOT = Path("demo")
SCHOOL = ROOT / "school"
COMMAND = [sys.executable, "-m", "pipeline.cli"]
CHANNELS = ("school", "personal")
FORM = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
PATIENCE = 300.0

# Who is who: id, name, answer per channel, consent to matching, and the photo that serves as portrait.
PEOPLE = (
    ("D001", "Person A (yes everywhere)", "yes", "yes", "yes", "obama.jpg"),
    ("D002", "Person B (refused)", "no", "no", "no", ""),
    ("D003", "Person C (school channel only)", "yes", "no", "yes", "astronaut.png"),
)


def main() -> int:
    """Run the demo; the exit status is 0 when every photo went where it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watch", action="store_true", help="leave the service running until Ctrl-C")
    watch = parser.parse_args().watch
    manifest.fetch(manifest=manifest.SAMPLES, folder=ROOT / "samples")
    shutil.rmtree(SCHOOL, ignore_errors=True)
    beeldwacht("init", str(SCHOOL), "--dpia-reference", "demo: no real school", "--decided-by", "make demo", home=False)
    build_register(ROOT / "samples", SCHOOL / "register")
    say("A demo school of three people: one agreed to everything, one refused, one agreed to the school channel only.")
    beeldwacht("register", "load", str((SCHOOL / "register" / "register.csv").absolute()))
    console = {"BEELDWACHT_CONSOLE__ENABLED": "true"} if watch else {}
    service = subprocess.Popen([*COMMAND, "run"], cwd=SCHOOL, env={**os.environ, **console})
    try:
        originals = drop_photos(ROOT / "samples", SCHOOL / "inbox")
        items = wait_for(len(originals) + 1, service)
        report(items)
        contact_sheet(items, originals, ROOT / "before-after.jpg")
        say(f"Look at {ROOT / 'before-after.jpg'} (original, {', '.join(CHANNELS)}), and in these folders:")
        for name in ("publish", "quarantine", "log"):
            say(f"  {SCHOOL / name}")
        if watch:
            invite()
            say(f"The service runs: drop photos into {SCHOOL / 'inbox'}. Ctrl-C stops it.", "green")
            service.wait()
    except KeyboardInterrupt:
        say("Stopping.")
    finally:
        stop(service)
    beeldwacht("log", "verify")
    published = sum(i["state"] == "published" for i in items)
    return 0 if published == len(originals) else 1


def beeldwacht(*arguments: str, home: bool = True) -> str:
    """Run one command as a user would; its output is shown, and returned when it is JSON."""
    quiet = "--json" in arguments
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=SCHOOL if home else None,
        check=True,
        text=True,
        stdout=subprocess.PIPE if quiet else None,
    )
    return done.stdout or ""


def invite() -> None:
    """An account for each role of the console, with the address at which its password is chosen."""
    say("The console, for each role a one-time address (good for an hour, and once):", "green")
    for role in ("officer", "communicator", "uploader", "administrator"):
        made = json.loads(beeldwacht("account", "add", role, "--role", role, "--json"))
        say(f"  {role}: {made['link']}")


def build_register(samples: Path, folder: Path) -> None:
    """register.csv with the columns that a school's administration exports, portraits and signed forms beside it."""
    rows = []
    for person, name, school, personal, matching, portrait in PEOPLE:
        form = folder / "forms" / f"{person}.pdf"
        form.parent.mkdir(parents=True, exist_ok=True)
        form.write_bytes(FORM)
        if portrait:
            target = folder / "portraits" / person / portrait
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(samples / portrait, target)
        answers = {
            f"{m}_{c}": a for m in ("photo", "film", "sound") for c, a in zip(CHANNELS, (school, personal), strict=True)
        }
        rows.append(
            {
                "person_id": person,
                "name": name,
                "role": "employee",
                "group": "",
                "birth_date": "1970-01-01",
                "signed_by": "self",
                "signed_on": "2025-09-01",
                "valid_until": "",
                "withdrawn_on": "",
                "form": f"forms/{person}.pdf",
                "matching": matching,
                **answers,
            }
        )
    with (folder / "register.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def drop_photos(samples: Path, inbox: Path) -> dict[str, Path]:
    """Drop two events into the inbox. Returns the originals by event and name."""
    staging = ROOT / "originals"
    shutil.rmtree(staging, ignore_errors=True)
    photos = {
        "sports-day/IMG_0001.jpg": Image.open(samples / "obama2.jpg"),
        "sports-day/IMG_0002.jpg": Image.open(samples / "t1.jpg"),
        "sports-day/IMG_0003.jpg": side_by_side([samples / n for n in ("obama3.jpg", "biden.jpg", "astronaut.png")]),
        "open-day/portrait.png": Image.open(samples / "astronaut.png"),
        "open-day/visitor.jpg": Image.open(samples / "biden.jpg"),
    }
    for name, image in photos.items():
        path = staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.convert("RGB").save(path, quality=92)
    damaged = staging / "open-day" / "damaged.jpg"
    damaged.write_bytes((samples / "obama.jpg").read_bytes()[:20_000] + b"\xff\xd9")
    for event in ("sports-day", "open-day"):
        shutil.copytree(staging / event, inbox / event)
        (inbox / event / "event.toml").write_text(
            f'title = "{event}"\ndate = 2026-06-12\nkind = "excursion"\n', encoding="utf-8"
        )
    return {name: staging / name for name in photos}


def side_by_side(paths: list[Path]) -> Image.Image:
    """Several photos as one picture, 480 pixels high."""
    images = [Image.open(p).convert("RGB") for p in paths]
    images = [i.resize((round(i.width * 480 / i.height), 480), Image.Resampling.LANCZOS) for i in images]
    row = Image.new("RGB", (sum(i.width for i in images), 480))
    x = 0
    for image in images:
        row.paste(image, (x, 0))
        x += image.width
    return row


def wait_for(count: int, service: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """Wait until the service has dealt with so many files; returns them with their verdicts."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if service.poll() is not None:
            raise SystemExit("The service ended before its work was done; see its message above.")
        counts = json.loads(beeldwacht("status", "--json"))["files"]
        if sum(counts[s] for s in ("published", "held", "rejected", "failed")) >= count:
            break
        time.sleep(1.0)
    else:
        raise SystemExit(f"Not done within {PATIENCE:.0f} seconds; `beeldwacht status` in {SCHOOL} says why.")
    return items()


def items() -> list[dict[str, Any]]:
    """Every item of the demo school, with its verdicts."""
    from pipeline import config  # noqa: PLC0415
    from pipeline.app import App  # noqa: PLC0415
    from pipeline.output import item_json  # noqa: PLC0415

    app = App(config.load(SCHOOL / config.FILE_NAME))
    try:
        store = app.store.items
        return [
            item_json(i, store.verdict_rows(i.id)) | {"renditions": {r.channel: r.path for r in store.renditions(i.id)}}
            for i in store.all()
        ]
    finally:
        app.close()


def report(found: list[dict[str, Any]]) -> None:
    """The table at the end of the demo."""
    rows = []
    for i in found:
        for channel in CHANNELS if i["verdicts"] else ("-",):
            own = [v for v in i["verdicts"] if v["channel"] == channel]
            shown = sum(v["shown"] for v in own)
            why: dict[str, int] = {}
            for v in own:
                why[v["reason"]] = why.get(v["reason"], 0) + 1
            reasons = ", ".join(f"{n}x {r.replace('_', ' ')}" for r, n in why.items()) or "; ".join(i["reasons"])
            rows.append(
                [
                    f"{i['event']}/{i['name']}",
                    i["state"],
                    channel,
                    str(len(own)),
                    str(shown),
                    str(len(own) - shown),
                    reasons,
                    f"{i['seconds'] or 0:.1f} s",
                ]
            )
    out.print()
    table("What happened", ["photo", "state", "channel", "faces", "shown", "covered", "why", "time"], rows)


def contact_sheet(found: list[dict[str, Any]], originals: dict[str, Path], path: Path) -> None:
    """Originals on the left, both channels beside them."""
    width, height, gap, head = 420, 300, 12, 34
    font = ImageFont.load_default(18)
    rows = []
    for i in (i for i in found if i["renditions"]):
        paths = [originals[f"{i['event']}/{i['name']}"]]
        paths += [SCHOOL / "publish" / c / i["renditions"][c] for c in CHANNELS]
        rows.append([ImageOps.contain(Image.open(p).convert("RGB"), (width, height)) for p in paths])
    heights = [max(image.height for image in row) + gap for row in rows]
    sheet = Image.new("RGB", (3 * (width + gap) + gap, head + sum(heights)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(("original", *CHANNELS)):
        draw.text((gap + column * (width + gap), 7), title, fill="black", font=font)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            sheet.paste(image, (gap + column * (width + gap), head + sum(heights[:row])))
    sheet.save(path, quality=90)


def stop(service: subprocess.Popen[bytes]) -> None:
    """End the service cleanly, as Ctrl-C does."""
    if service.poll() is None:
        service.send_signal(signal.SIGTERM)
        try:
            service.wait(60)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()


if __name__ == "__main__":
    sys.exit(main())
