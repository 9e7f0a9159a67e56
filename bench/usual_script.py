#!/usr/bin/env python3
"""The script that people write for this job, to compare with: face_recognition finds and names, OpenCV blurs.

    python usual_script.py PHOTOS PORTRAITS OUT [--model hog|cnn] [--upsample 1]

For another Python than the project's, one that has `face_recognition` (bench/versus.py runs it). PORTRAITS holds one
photo of each person who may be seen. Prints one JSON object: seconds for all photos, and the boxes found in each.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import face_recognition

parser = argparse.ArgumentParser()
parser.add_argument("photos", type=Path)
parser.add_argument("portraits", type=Path)
parser.add_argument("out", type=Path)
parser.add_argument("--model", default="hog")
parser.add_argument("--upsample", type=int, default=1, help="how often the photo is doubled")
a = parser.parse_args()
a.out.mkdir(parents=True, exist_ok=True)
known = []
for path in sorted(a.portraits.iterdir()):
    known += face_recognition.face_encodings(face_recognition.load_image_file(path))[:1]
found, started = {}, time.monotonic()
for path in sorted(a.photos.glob("*.jpg")):
    image = face_recognition.load_image_file(path)
    boxes = face_recognition.face_locations(image, a.upsample, a.model)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    for (top, right, bottom, left), code in zip(boxes, face_recognition.face_encodings(image, boxes), strict=True):
        if not any(face_recognition.compare_faces(known, code)):
            pixels[top:bottom, left:right] = cv2.GaussianBlur(pixels[top:bottom, left:right], (99, 99), 30)
    cv2.imwrite(str(a.out / path.name), pixels)
    found[path.name] = [[left, top, right, bottom] for top, right, bottom, left in boxes]
print(json.dumps({"seconds": time.monotonic() - started, "found": found}))
