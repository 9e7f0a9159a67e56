"""What a source of the register is, and the table in which each registers itself.

Adding a source touches one file: its options, its function and one decorator. A source that the configuration names
and that is not here is an error, never a silent fallback to another; so is an option that a source does not know.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from consent_sync.loaded import RawTable, RegisterError


class Options(BaseModel):
    """What a source has to be told; each source has its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileOptions(Options):
    """Of a source that is one file. A relative path is relative to the configuration."""

    file: Path


@dataclass(frozen=True, slots=True)
class Context:
    """What every source is given: the folder that paths are relative to, and the column names it may expect."""

    root: Path
    known: frozenset[str]


AnyOptions = TypeVar("AnyOptions", bound=Options)
Read = Callable[[AnyOptions, Context], RawTable]
"""Reads a register where the school keeps it, once and as a whole.

Delivers a `RawTable` whose columns are as the source spells them (in small letters), or raises `RegisterError` for
what is not a complete table: a source never delivers half.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of source: how it is read, and its options."""

    name: str
    read: Read[Any]
    options: type[Options]

    def configured(self, options: Mapping[str, Any]) -> Options:
        """The options, checked.

        Raises:
            RegisterError: for an unknown or missing option, or a bad value.
        """
        try:
            return self.options(**options)
        except ValidationError as error:
            what = "; ".join(f"{'.'.join(str(x) for x in e['loc'])}: {e['msg']}" for e in error.errors())
            raise RegisterError(
                f"source {self.name}",
                f"the options are not right: {what}",
                expected=", ".join(self.options.model_fields),
                remedy="Correct [register.options] in the configuration.",
            ) from None


SOURCES: dict[str, Source] = {}


def source(name: str, options: type[AnyOptions]) -> Callable[[Read[AnyOptions]], Read[AnyOptions]]:
    """Register a source under the name that the configuration uses."""

    def register(read: Read[AnyOptions]) -> Read[AnyOptions]:
        SOURCES[name] = Source(name, cast("Read[Any]", read), options)
        return read

    return register


def names() -> list[str]:
    """Every source there is: the source `x` is the file x_source.py."""
    found = (m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return sorted(name.removesuffix("_source") for name in found if name.endswith("_source"))


def find(name: str, file: str) -> Source:
    """The source of this name; its file is loaded when it is first asked for.

    Raises:
        RegisterError: when there is none.
    """
    if name not in SOURCES and name in names():
        importlib.import_module(f"consent_sync.sources.{name}_source")
    if name not in SOURCES:
        known = ", ".join(names())
        raise RegisterError(
            file, f"there is no source {name!r}", expected=known, remedy="Correct the source in the configuration."
        )
    return SOURCES[name]
