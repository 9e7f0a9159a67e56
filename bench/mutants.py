"""Change what decides in places drawn by chance, and see which changes the unit tests notice.

    python -m bench.mutants [--count 300] [--seed 1] [--only pipeline/rules] [--jobs 2]

A mutant is one small change of one module of the rooms that decide whether somebody is seen: a comparison, a boolean, a
number, a word of a table, left for top, smallest for largest. Each is tried in a copy of the project with the unit
tests that import the module, then those that import what imports it. A survivor is a change that no unit test notices:
it is printed, and stands judged in bench/mutants_judged.toml or asks for a test.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "pipeline/rules",
    "pipeline/recognition",
    "pipeline/redaction",
    "pipeline/publishing",
    "pipeline/people",
    "consent_sync",
)
JUDGED = Path(__file__).with_name("mutants_judged.toml")
COMPARISONS = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
OPERATORS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.BitOr: "&", ast.BitAnd: "|"}
NAMES = {
    "left": "top",
    "top": "left",
    "right": "bottom",
    "bottom": "right",
    "width": "height",
    "height": "width",
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "minimum": "maximum",
    "maximum": "minimum",
}
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the module, the place (line, column, to line, to column), what stands there, and what then."""

    module: str
    place: tuple[int, int, int, int]
    before: str
    after: str

    @property
    def key(self) -> str:
        """What names it in the list of those that were judged: the line may move, the text stays."""
        return f"{self.module}: {self.before} -> {self.after}"


def main(arguments: list[str] | None = None) -> int:
    """Draw, try and report. The exit status is 1 when fewer than 95 of 100 are noticed, judged ones left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a room or a module, as its path begins")
    parser.add_argument("--jobs", type=int, default=2)
    a = parser.parse_args(arguments)
    found = sorted(_all(a.only), key=lambda m: (m.module, m.place))
    drawn = random.Random(a.seed).sample(found, min(a.count, len(found)))  # noqa: S311 - a sample, not a secret
    importers = _importers()
    begun = time.monotonic()
    with ThreadPoolExecutor(a.jobs) as pool:
        noticed = list(pool.map(lambda m: _noticed(m, importers), drawn))
    return _report(drawn, noticed, len(found), time.monotonic() - begun)


def _report(drawn: list[Mutant], noticed: list[bool], of: int, seconds: float) -> int:
    judged = tomllib.loads(JUDGED.read_text(encoding="utf-8")).get("equivalent", {}) if JUDGED.exists() else {}
    survivors = [m for m, seen in zip(drawn, noticed, strict=True) if not seen]
    for m in survivors:
        why = f"   [judged: {judged[m.key]}]" if m.key in judged else ""
        print(f"survived  {m.module}:{m.place[0]}  {m.before!r} -> {m.after!r}{why}")
    count = len(drawn) - sum(m.key in judged for m in survivors)
    share = sum(noticed) / count if count else 1.0
    print(f"{sum(noticed)} of {count} noticed ({share:.1%}) of {of} possible, in {seconds:.0f} s")
    return 0 if share >= 0.95 else 1


def _all(only: str) -> Iterator[Mutant]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            module = path.relative_to(ROOT).as_posix()
            if module.startswith(only):
                yield from mutants(module, path.read_text(encoding="utf-8"))


def mutants(module: str, text: str) -> Iterator[Mutant]:
    """Every change that is tried in one module."""
    tree = ast.parse(text)
    idle = _idle(tree)
    for node in ast.walk(tree):
        for after in _changes(node) if id(node) not in idle else ():
            before = ast.get_source_segment(text, node) or ""
            place = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)  # type: ignore[attr-defined]
            if before and after != before:
                yield Mutant(module, place, before, after)


def _idle(tree: ast.Module) -> set[int]:
    """What nothing depends on at run time: docstrings, and annotations of types."""
    found = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            found |= {id(n) for n in ast.walk(annotation)} if annotation else set()
    return found


def _changes(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        word = COMPARISONS[type(node.ops[0])]
        yield f"{ast.unparse(node.left)} {word} {ast.unparse(node.comparators[0])}"
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not isinstance(node.left, ast.JoinedStr):
        yield f"({ast.unparse(node.left)} {OPERATORS[type(node.op)]} {ast.unparse(node.right)})"
    elif isinstance(node, ast.BoolOp):
        word = " and " if isinstance(node.op, ast.Or) else " or "
        yield "(" + word.join(f"({ast.unparse(v)})" for v in node.values) + ")"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"({ast.unparse(node.operand)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield repr(node.value * 2 + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w ]+", node.value):
        yield repr(node.value + "x")
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield f"{ast.unparse(node.value)}.{NAMES[node.attr]}"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
        yield f"{NAMES[node.func.id]}{ast.unparse(node)[len(node.func.id) :]}"


def changed(text: str, m: Mutant) -> str:
    """The module's text with the change made. Columns count bytes, as `ast` does."""
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    first, column, last, end = m.place
    lines[first - 1 : last] = [lines[first - 1][:column] + m.after.encode() + lines[last - 1][end:]]
    return b"".join(lines).decode()


def _importers() -> dict[str, list[str]]:
    """For each module the unit tests that import it, then those that import what imports it."""
    names = {p: _imports(p) for room in ("pipeline", "consent_sync", "models") for p in (ROOT / room).rglob("*.py")}
    tests = {p: _imports(p) for p in sorted((ROOT / "tests/unit").rglob("test_*.py")) if "project" not in p.parts}
    sources = [
        *sorted((ROOT / "tests/integration/consent_sync").glob("test_*.py")),
        ROOT / "tests/contract/test_sources.py",
    ]
    found = {}
    for path in names:
        module = _dotted(path)
        direct = [t for t, imported in tests.items() if module in imported]
        above = {_dotted(p) for p, imported in names.items() if module in imported}
        near = [t for t, imported in tests.items() if t not in direct and imported & above]
        near += sources if "sources" in path.parts else []  # a source is found by its name, not imported
        found[path.relative_to(ROOT).as_posix()] = [t.relative_to(ROOT).as_posix() for t in (*direct, *near)]
    return found


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return found


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _noticed(m: Mutant, importers: dict[str, list[str]]) -> bool:
    tests = importers[m.module]
    if not tests:
        return False
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "project"
        copy.mkdir()
        for name in ("pipeline", "consent_sync", "tests", "models", "docs"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "weights"))
        (copy / "models/weights").symlink_to(ROOT / "models/weights")
        for name in ("pyproject.toml", "beeldwacht.example.toml"):
            shutil.copy(ROOT / name, copy)
        file = copy / m.module
        file.write_text(changed(file.read_text(encoding="utf-8"), m), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:xdist",
            "-p",
            "no:cacheprovider",
            "-o",
            "addopts=",
            "--hypothesis-seed=0",
            *tests,
        ]
        try:
            done = subprocess.run(command, cwd=copy, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return True
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
