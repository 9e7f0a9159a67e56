"""Setting up: the commented configuration and the folders of a new installation."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.config import FILE_NAME, Folders
from pipeline.errors import ConfigError

_ROOT = Path(__file__).resolve().parents[2]
_PRIVATE = ("vault", "work", "log", "data", "quarantine")


def init(folder: Path, dpia_reference: str = "", decided_by: str = "") -> Path:
    """Write beeldwacht.toml and make the folders. Returns the path of the file.

    Raises ConfigError when there is one already, when only half of what matching needs is given, or when the folder
    cannot be written.
    """
    if bool(dpia_reference.strip()) != bool(decided_by.strip()):
        raise ConfigError(
            "Matching needs both: the impact assessment and who decided.",
            "Give --dpia-reference and --decided-by, or neither.",
        )
    target = folder.absolute() / FILE_NAME
    text = (_ROOT / "beeldwacht.example.toml").read_text(encoding="utf-8")
    if dpia_reference:
        for key, value in (
            ("enabled = false", "enabled = true"),
            ('dpia_reference = ""', f"dpia_reference = {json.dumps(dpia_reference)}"),
            ('decided_by = ""', f"decided_by = {json.dumps(decided_by)}"),
        ):
            text = text.replace(key, value, 1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as f:
            f.write(text)
        for name, default in Folders.model_fields.items():
            if name != "weights":
                path = folder / default.default
                path.mkdir(exist_ok=True, mode=0o700 if name in _PRIVATE else 0o755)
        readme = folder / "inbox" / "README.md"
        if not readme.exists():
            readme.write_text((_ROOT / "inbox" / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    except FileExistsError:
        raise ConfigError(
            f"{target}: there is a configuration here already.", "Edit it, or choose another folder."
        ) from None
    except OSError as e:
        raise ConfigError(f"{e.filename or folder}: {e.strerror}.", "Choose a folder that you may write in.") from e
    return target
