"""The command line as a whole."""

import subprocess
import sys
from importlib.metadata import version

from tests.support.school import COMMAND


def test_it_says_its_version() -> None:
    done = subprocess.run([*COMMAND, "--version"], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == f"beeldwacht {version('beeldwacht')}"


def test_a_command_loads_only_what_it_needs() -> None:
    """Half a second of every command went to libraries that only films and the console use."""
    code = "import sys, pipeline.cli; print(*{'scipy', 'uvicorn', 'cv2', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == ""
