from importlib.metadata import version

import cv2
import PIL
import pytest
import tifffile

from toolkit.files.images.decoding_programs import decoding_programs


@pytest.mark.parametrize("library", [cv2, PIL, tifffile])
def test_another_version_of_a_library_is_another_text(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    before = decoding_programs()
    assert version("albumentations") in before.split()
    monkeypatch.setattr(library, "__version__", "0.0.1")
    assert decoding_programs() != before
