"""What runs that ended before their time left behind, told from what a process still uses."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.files.fsync import RUN


def of_the_living(path: Path) -> bool:
    """Whether it is a plain copy, or the tray of a child, named after a process that still runs: its own to delete."""
    kind, pid, run, *_ = (*path.name.split("-"), "", "")
    if kind not in {".open", ".portrait", ".tray"} or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return run == RUN
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
