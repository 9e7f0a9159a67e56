"""No file passes 250 lines and no function 40; what does today is listed, and the list may only shrink."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("models", "consent_sync", "pipeline", "bench", "examples", "tests")
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("size_exceptions.toml").read_text(encoding="utf-8"))
FILE, FUNCTION = 250, 40


def _sources() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _long_functions(name: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            yield from [f"{name}::{node.name}"] if length > FUNCTION else []


def test_no_file_is_longer_than_a_reader_keeps_in_mind() -> None:
    long = {name for name, text in _sources() if text.count("\n") > FILE}
    assert long - set(EXCEPTIONS["files"]) == set(), "split these files"
    assert set(EXCEPTIONS["files"]) - long == set(), "these are short now: take them off the list"


def test_no_function_is_longer_than_a_screen() -> None:
    long = {function for name, text in _sources() for function in _long_functions(name, text)}
    assert long - set(EXCEPTIONS["functions"]) == set(), "split these functions"
    assert set(EXCEPTIONS["functions"]) - long == set(), "these are short now: take them off the list"
