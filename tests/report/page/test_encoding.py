import base64
import json

import cv2
import numpy as np
import pytest

from toolkit.report.page.encoding import json_text, packed, png_address, webp_address


def unpacked(tree: dict) -> np.ndarray:
    kind = {"f8": "<f8", "i4": "<i4"}[tree["type"]]
    return np.frombuffer(base64.b64decode(tree["bytes"]), kind).reshape(tree["shape"])


@pytest.mark.parametrize("values", [np.array([[0.1, np.nan], [1 / 3, 2e300]]), np.arange(6).reshape(2, 3)])
def test_arrays_come_back_exactly(values: np.ndarray) -> None:
    assert np.array_equal(unpacked(packed(values)), values, equal_nan=values.dtype.kind == "f")


def test_maps_come_back_exactly() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    content = np.frombuffer(base64.b64decode(png_address(pixels).partition(",")[2]), np.uint8)
    assert np.array_equal(cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1], pixels)


def test_pictures_keep_their_size_and_colours() -> None:
    pixels = np.full((16, 8, 3), (200, 40, 90), np.uint8)
    address = webp_address(pixels)
    assert address.startswith("data:image/webp;base64,")
    found = cv2.imdecode(np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert found.shape == pixels.shape
    assert np.abs(found[..., ::-1].astype(int) - pixels).max() < 12


def test_data_cannot_end_the_script_that_holds_them() -> None:
    tree = {"</script><!--": "a & b > c \u2028 \u2029"}
    text = json_text(tree)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == tree


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"score": float("nan")})
