"""What the page carries inside itself: arrays, pictures and data, as text."""

import base64
import json
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.files.disk.png import png_bytes

_TYPES = {"f8": "<f8", "i4": "<i4"}
_QUALITY = 82
_ESCAPES = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def packed(values: npt.NDArray[Any]) -> dict[str, Any]:
    """An array for the script: its shape, its type and its bytes; whole numbers have 32 bits, others 64."""
    kind = "f8" if values.dtype.kind == "f" else "i4"
    content = np.ascontiguousarray(values, _TYPES[kind]).tobytes()
    return {"shape": list(values.shape), "type": kind, "bytes": base64.b64encode(content).decode()}


def png_address(pixels: npt.NDArray[np.uint8]) -> str:
    """Pixels without loss, `uint8` (height, width) or (height, width, 3), as the address of a picture."""
    return _address("png", png_bytes(pixels))


def webp_address(pixels: npt.NDArray[np.uint8]) -> str:
    """A picture `uint8 (height, width, 3)` for the eye, as an address."""
    content = cv2.imencode(".webp", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1]
    return _address("webp", content.tobytes())


def json_text(tree: Any) -> str:
    """Data as JSON that may stand inside an HTML file: no letter of it begins or ends markup.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
