"""Builds engines by the names that the configuration uses, importing only those that are asked for.

A build without recognition needs neither the weights of SFace nor those of dlib.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from models.engines.base import DETECTORS, EMBEDDERS, Detector, Embedder
from models.errors import EngineError

T = TypeVar("T")

MODULES = {
    "centerface": "models.engines.centerface",
    "yunet": "models.engines.yunet",
    "sface": "models.engines.sface",
    "dlib": "models.engines.dlib_resnet",
}
"""Where each engine lives. A new engine is one file and one line here."""

WEIGHTS_OF = {
    "centerface": ("centerface",),
    "yunet": ("yunet",),
    "sface": ("sface",),
    "dlib": ("dlib", "dlib-landmarks"),
}
"""Which files of weights.toml each engine loads."""


def load_detectors(names: Sequence[str], folder: Path, threads: int = 1) -> tuple[Detector, ...]:
    """The detectors of these names, in order, with verified weights. Raises EngineError; never leaves one out."""
    if not names:
        raise EngineError("no detector is named: without one every face would leak")
    _import(names)
    return tuple(_known(DETECTORS, name, "a detector")(folder, threads) for name in names)


def load_embedders(names: Sequence[str], folder: Path, threads: int = 1) -> tuple[Embedder, ...]:
    """The embedders of these names, in order, with verified weights. Raises EngineError; never leaves one out."""
    _import(names)
    return tuple(_known(EMBEDDERS, name, "an embedder")(folder, threads) for name in names)


def _import(names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise EngineError(f"an engine is named twice in {', '.join(names)}")
    for name in names:
        if name not in MODULES:
            raise EngineError(f"unknown engine {name!r}; known are {', '.join(sorted(MODULES))}")
        try:
            importlib.import_module(MODULES[name])
        except ImportError as error:
            raise EngineError(
                f"engine {name!r} cannot be loaded: {error}; install the project's dependencies"
            ) from error


def _known(table: dict[str, type[T]], name: str, what: str) -> type[T]:
    if name not in table:
        raise EngineError(f"{name!r} is not {what}")
    return table[name]
