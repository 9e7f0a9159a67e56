"""Convert pixels whose colours a HEIC or AVIF names by numbers (nclx) to sRGB: Display P3, BT.2020, PQ and HLG. Pure.

The numbers are those of ITU-T H.273 (ISO/IEC 23091-2). The reference white of PQ and HLG is 203 cd/m2 (ITU-R BT.2408),
as in films; what is brighter is rolled off, so that what is not keeps its value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.domain.types import RgbImage

UNSPECIFIED = 2
_LINEAR, _PQ, _HLG = 8, 16, 18
_REC2020, _DCI_P3, _DISPLAY_P3 = 9, 11, 12
_NAMES = {_REC2020: "BT.2020", _DCI_P3: "DCI-P3", _DISPLAY_P3: "Display P3", _LINEAR: "linear", _PQ: "PQ", _HLG: "HLG"}

# Linear light to that of sRGB's primaries, white D65 (DCI-P3: its own white, adapted by Bradford).
_P3_TO_SRGB = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
_MATRICES = {
    _REC2020: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    _DCI_P3: ((1.1575, -0.1549, -0.0026), (-0.0415, 1.0456, -0.0041), (-0.0181, -0.0786, 1.0967)),
    _DISPLAY_P3: _P3_TO_SRGB,
}
_WHITE, _PEAK = 203.0, 1000.0  # cd/m2
_KNEE = 0.8  # of the reference white: below nothing is changed
_STRIP = 512
_STEPS = 4095

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Nclx:
    """What colours mean: numbers of the primaries and of the transfer curve."""

    primaries: int
    transfer: int

    @property
    def is_srgb(self) -> bool:
        """Whether the pixels can be taken as they are; what is not named, BT.601 and BT.709, is shown so everywhere."""
        return self.primaries not in _MATRICES and self.transfer not in (_LINEAR, _PQ, _HLG)

    @property
    def name(self) -> str:
        """For people."""
        named = [_NAMES[n] for n in (self.primaries, self.transfer) if n in _NAMES]
        return ", ".join(named) or "sRGB"


def in_file(data: bytes) -> Nclx | None:
    """Find the first nclx colours in the properties of a HEIF or AVIF file, for decoders that do not tell them."""
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"meta":
            for inner, a, b in _boxes(data, start + 4, end):
                if inner == b"iprp":
                    return _in_properties(data, a, b)
    return None


def to_srgb(pixels: RgbImage, colours: Nclx) -> RgbImage:
    """Convert pixels (height, width, 3), uint8, with these colours to sRGB, strip by strip."""
    light = _to_light(np.linspace(0, 1, 256, dtype=np.float32), colours.transfer)
    matrix = np.array(_MATRICES.get(colours.primaries, np.eye(3)), np.float32)
    encode = np.rint(_encoded(np.linspace(0, 1, _STEPS + 1, dtype=np.float32)) * 255).astype(np.uint8)
    result = np.empty_like(pixels)
    for top in range(0, pixels.shape[0], _STRIP):
        strip = light[pixels[top : top + _STRIP]]
        if colours.transfer == _HLG:  # the display's gamma, for its own primaries (ITU-R BT.2100)
            strip = strip * np.power(np.maximum(strip @ _HLG_LUMA, 1e-6), 0.2)[..., None] * np.float32(_PEAK / _WHITE)
        strip = np.maximum(np.asarray(cv2.transform(np.ascontiguousarray(strip), matrix), np.float32), 0)
        if colours.transfer in (_PQ, _HLG):
            strip = _rolled_off(strip)
        result[top : top + _STRIP] = encode[np.rint(np.minimum(strip, 1) * _STEPS).astype(np.int32)]
    return result


_HLG_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)


def _to_light(code: Floats, transfer: int) -> Floats:
    """Code values 0..1 as linear light; 1 is the reference white (HLG: the brightest light of the scene)."""
    if transfer == _LINEAR:
        return code
    if transfer == _PQ:
        power = np.power(code, 1 / 78.84375)
        light = np.power(np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power), 1 / 0.1593017578125)
        return np.asarray(light * (10000 / _WHITE), np.float32)
    if transfer == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        return np.asarray(np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12), np.float32)
    return np.asarray(np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4), np.float32)


def _encoded(light: Floats) -> Floats:
    """Linear light 0..1 as code values of sRGB (IEC 61966-2-1)."""
    return np.asarray(np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4) - 0.055), np.float32)


def _rolled_off(light: Floats) -> Floats:
    """Light above the knee brought below the white by a Moebius curve over the brightest channel; hues stay."""
    j, p = _KNEE, _PEAK / _WHITE
    a = -(j**2) * (p - 1) / (j**2 - 2 * j + p)
    b = (j**2 - 2 * j * p + p) / (p - 1)
    most = light.max(axis=-1, keepdims=True)
    curve = (b**2 + 2 * b * j + j**2) / (b - a) * (most + a) / (most + b)
    return np.asarray(np.where(most > j, light * (curve / np.maximum(most, 1e-6)), light), np.float32)


def _in_properties(data: bytes, start: int, end: int) -> Nclx | None:
    for kind, a, b in _boxes(data, start, end):
        if kind == b"ipco":
            for inner, first, last in _boxes(data, a, b):
                if inner == b"colr" and data[first : first + 4] == b"nclx" and last - first >= 10:
                    numbers = (int.from_bytes(data[i : i + 2], "big") for i in (first + 4, first + 6))
                    return Nclx(*numbers)
    return None


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two places (ISO/IEC 14496-12): type, where the content begins and where it ends."""
    while start + 8 <= end:
        size, head = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        stop = end if size == 0 else start + size
        if stop < start + head or stop > end:
            return
        yield data[start + 4 : start + 8], start + head, stop
        start = stop
