#!/usr/bin/env python3
"""A sheet with every style of cover on a drawn scene, for the documentation: nobody is in it.

python -m examples.covers docs/screenshots/covers.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.redaction.example import example, scene
from pipeline.redaction.styles import STYLES


def main() -> None:
    """Write the sheet: the scene as it is, and in each style."""
    pictures = [scene(), *(example(style) for style in STYLES)]
    pictures += [np.full_like(pictures[0], 255)] * (-len(pictures) % 3)
    rows = [np.concatenate(pictures[n : n + 3], axis=1) for n in range(0, len(pictures), 3)]
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3)).save(Path(sys.argv[1]), quality=88)


if __name__ == "__main__":
    main()
