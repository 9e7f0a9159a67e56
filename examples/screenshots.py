"""Pictures of every page of the console in both languages, of a school whose people are drawn (examples.people).

    python -m examples.screenshots [--chromium /usr/bin/chromium]

Writes docs/screenshots/LANGUAGE-PAGE.jpg. Needs a Chromium.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from examples.people import Figure, scene
from pipeline.output import say
from pipeline.reader.film.ffmpeg import default_tools

OUT = Path("docs/screenshots")
COMMAND = [sys.executable, "-m", "pipeline.cli"]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "four words in a row"  # noqa: S105 - of an installation that is thrown away
ROLES = ("officer", "communicator", "administrator", "uploader")
SKIN = ((236, 190, 160), (150, 105, 75), (245, 205, 180), (198, 150, 112), (112, 78, 56))
HAIR = ((90, 60, 40), (30, 25, 22), (200, 160, 90), (60, 40, 30), (20, 18, 18))
SHIRT = ((190, 60, 60), (60, 90, 170), (240, 200, 70), (80, 150, 110), (150, 90, 160))
NAMES = ("Sam de Vries", "Noor el Amrani", "Lotte Jansen", "Daan Bakker", "Imani Mensah", "Juf Marijke")
PAGES = {
    "today": "/today",
    "review-queue": "/review",
    "review": "/review/{held}",
    "review-film": "/review/{film}",
    "audit": "/audit?kind=item.decided",
    "before-after": "/audit/item/{shown}",
    "spot-check": "/audit/spot",
    "gallery": "/gallery",
    "gallery-file": "/gallery/{file}",
    "withdrawn": "/gallery/withdrawn",
    "register": "/register",
    "person": "/register/person/P2",
    "notices": "/register/notices",
    "upload": "/upload",
    "accounts": "/accounts",
    "account": "/account",
}


def main() -> int:
    """Make the school, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    chromium = parser.parse_args().chromium
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="beeldwacht-screenshots-") as temporary:
        home = Path(temporary) / "school"
        make(home)
        server, address = serve(home)
        try:
            with sync_playwright() as p:
                browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
                for language, scheme in (("nl", "light"), ("en", "dark")):
                    context = browser.new_context(
                        base_url=address,
                        locale=language,
                        color_scheme=scheme,  # type: ignore[arg-type]
                        viewport={"width": 1280, "height": 860},
                    )
                    take(context.new_page(), home, language)
                browser.close()
        finally:
            server.terminate()
            server.wait()
    say(f"Wrote {len(list(OUT.glob('*.jpg')))} pictures to {OUT}.", "green")
    return 0


def make(home: Path) -> None:
    """A school with a register, a trip that is published, and a lesson that is held."""
    run("init", str(home), home=None)
    config = home / "beeldwacht.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^school = .*$", 'school = "De Regenboog"', text), encoding="utf-8")
    register(home / "register")
    run("register", "load", str(home / "register" / "register.csv"), home=home)
    for event, facts, photos in (
        ("2026-06-12 Schoolreis", 'title = "Schoolreis naar het strand"\ndate = 2026-06-12\nkind = "excursion"\n', 4),
        ("2026-06-19 Rekenles", 'title = "Rekenles groep 7"\ndate = 2026-06-19\nkind = "lesson"\n', 2),
    ):
        folder = home / "inbox" / event
        folder.mkdir(parents=True)
        (folder / "event.toml").write_text(facts, encoding="utf-8")
        for n in range(photos):
            people = [
                Figure(
                    260 + 340 * k,
                    300 + 25 * ((n + k) % 3),
                    62 + 9 * ((n * 2 + k) % 3),
                    SKIN[(n + k) % 5],
                    HAIR[(n * 2 + k) % 5],
                    SHIRT[(n + 2 * k) % 5],
                )
                for k in range(3)
            ]
            scene(people, seed=n + photos * 10).save(folder / f"IMG_{photos}0{n}.jpg", quality=92)
    film(home / "inbox" / "2026-06-19 Rekenles" / "MUSICAL.mp4")
    run("process", home=home, ok=False)
    for item in json.loads(run("status", "--json", home=home))["attention"]:
        say(f"held: {item['name']}")
    run("item", "name", "1", "1", "P2", "--by", "Juf Marijke", "--redo", home=home)
    run("item", "name", "2", "0", "P1", "--by", "Juf Marijke", "--redo", home=home)
    run(
        "publication",
        "note",
        "3",
        "--where",
        "https://regenboog.example/nieuws",
        "--channel",
        "school",
        "--by",
        "Juf Marijke",
        home=home,
    )
    run("process", home=home, ok=False)


def film(path: Path) -> None:
    """Four seconds in which a camera goes along two people, with a tone for sound."""
    people = [Figure(330 + 420 * k, 330 + 20 * k, 92, SKIN[k + 1], HAIR[k + 1], SHIRT[k + 2]) for k in range(2)]
    with tempfile.TemporaryDirectory() as temporary:
        still = Path(temporary) / "scene.png"
        scene(people, seed=77).save(still)
        subprocess.run(
            [
                default_tools().ffmpeg,
                "-v",
                "error",
                "-loop",
                "1",
                "-framerate",
                "15",
                "-t",
                "4",
                "-i",
                still,
                "-f",
                "lavfi",
                "-i",
                "sine=330:r=48000:d=4",
                "-vf",
                "crop=iw-160:ih-90:'2*n':40,format=yuv420p",
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-c:a",
                "aac",
                "-t",
                "4",
                path,
            ],
            check=True,
        )


def register(folder: Path) -> None:
    """Six people, of whom some agreed to some things."""
    (folder / "forms").mkdir(parents=True)
    rows = []
    for n, name in enumerate(NAMES):
        form = folder / "forms" / f"P{n}.pdf"
        form.write_bytes(b"%PDF-1.4\n%%EOF\n")
        answers = {
            f"{m}_{c}": "no" if (n + k) % 4 == 0 else "yes"
            for m in ("photo", "film", "sound")
            for k, c in enumerate(("school", "personal"))
        }
        grown = n == len(NAMES) - 1
        rows.append(
            {
                "person_id": f"P{n}",
                "name": name,
                "role": "employee" if grown else "pupil",
                "group": "" if grown else f"7{'AB'[n % 2]}",
                "birth_date": "1985-02-01" if grown else f"2015-0{n + 1}-11",
                "signed_by": "self" if grown else "parent",
                "signed_on": "2026-09-01",
                "valid_until": "",
                "withdrawn_on": "",
                "form": f"forms/P{n}.pdf",
                "matching": "no",
                **answers,
            }
        )
    with (folder / "register.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def take(page: Page, home: Path, language: str) -> None:
    """Sign in by a one-time code, and take a picture of every page."""
    name = f"m.{language}"
    flags = [x for role in ROLES for x in ("--role", role)]
    code = json.loads(run("account", "add", name, *flags, "--json", home=home))["code"]
    page.goto("/login")
    shoot(page, language, "sign-in")
    page.goto(f"/welcome?code={code}")
    shoot(page, language, "one-time-code")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button.primary")
    page.wait_for_selector(".who form button")
    attention = json.loads(run("status", "--json", home=home))["attention"]
    held = attention[0]["id"] if attention else 1
    moving = next(i["id"] for i in attention if i["name"].endswith(".mp4"))
    if language == "nl":
        page.goto("/audit/spot")
        page.click("main form button")
        for mark in ("right", "right", "wrong", "right", "unclear"):
            page.click(f"button[value={mark}]")
    page.goto("/gallery")
    file = (page.locator("#files a").first.get_attribute("href") or "").rsplit("/", 1)[-1]
    for target, path in PAGES.items():
        page.goto(path.format(held=held, shown=1, file=file, film=moving))
        if target == "review-film":
            page.wait_for_timeout(1500)
            page.locator("[data-seek]").first.click()
            page.wait_for_timeout(700)
        page.wait_for_load_state("networkidle") if target != "today" else page.wait_for_timeout(500)
        shoot(page, language, target)


def shoot(page: Page, language: str, name: str) -> None:
    """One picture, small enough to be kept."""
    page.wait_for_timeout(250)
    image = Image.open(io.BytesIO(page.screenshot(full_page=False))).convert("RGB")
    image.save(OUT / f"{language}-{name}.jpg", quality=72, optimize=True)


def serve(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The console on its own, and its address."""
    out = home / "console.out"
    with out.open("w") as sink:
        server = subprocess.Popen(
            [*COMMAND, "run"],
            cwd=home,
            stdout=sink,
            stderr=sink,
            env={**os.environ, "BEELDWACHT_CONSOLE__PORT": "0", "BEELDWACHT_CONSOLE__ENABLED": "true"},
        )
    for _ in range(300):
        if found := re.search(r"http://127\.0\.0\.1:\d+", out.read_text()):
            return server, found[0]
        time.sleep(0.1)
    raise SystemExit(out.read_text())


def run(*arguments: str, home: Path | None, ok: bool = True) -> str:
    """One command, as somebody would type it."""
    done = subprocess.run([*COMMAND, *arguments], cwd=home, text=True, capture_output=True, check=False)
    if ok and done.returncode:
        raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
