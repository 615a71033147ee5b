import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.files.images import dicom_files
from toolkit.files.images.decoding import (
    UnreadableImageError,
    orientation_of,
    read_image,
    read_size,
    read_stored,
    stored_depth,
)
from toolkit.files.images.kinds import file_kind


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes pixels (height, width) or (frames, height, width) as a DICOM file; options are elements of its header."""
    pydicom = pytest.importorskip("pydicom")

    def write(pixels: np.ndarray, **elements: Any) -> Path:
        header = pydicom.dataset.Dataset()
        header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
        header.Rows, header.Columns = pixels.shape[-2:]
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        bits = 8 * pixels.dtype.itemsize
        header.BitsAllocated, header.BitsStored, header.HighBit = bits, bits, bits - 1
        header.PixelRepresentation = int(pixels.dtype.kind == "i")
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        header.PixelData = pixels.tobytes()
        for name, value in elements.items():
            setattr(header, name, value)
        header.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        return tmp_path / "a.dcm"

    return write


PIXELS = np.arange(24, dtype=np.uint8).reshape(4, 6)


def test_pixels_size_and_depth_are_those_of_the_file(write: Any) -> None:
    path = write(PIXELS)
    assert np.array_equal(read_stored(path), PIXELS)
    assert read_image(path).shape == (4, 6, 3)
    assert (read_size(path), stored_depth(path), orientation_of(path), file_kind(path)) == ((4, 6), 8, 1, "DICOM")


def test_inverted_files_are_read_as_viewers_show_them(write: Any) -> None:
    assert np.array_equal(read_stored(write(PIXELS, PhotometricInterpretation="MONOCHROME1")), 255 - PIXELS)
    twelve = write(PIXELS.astype(np.uint16), PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    assert np.array_equal(read_stored(twelve), 4095 - PIXELS.astype(np.uint16))


def test_slope_and_intercept_are_applied(write: Any) -> None:
    hounsfield = read_stored(write(PIXELS.astype(np.int16), RescaleSlope="2", RescaleIntercept="-1024"))
    assert hounsfield.dtype == np.int32
    assert np.array_equal(hounsfield, PIXELS.astype(np.int32) * 2 - 1024)
    assert read_stored(write(PIXELS, RescaleSlope="0.5", RescaleIntercept="0")).max() == 11.5


def test_what_is_no_single_image_is_refused(write: Any, tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="is a DICOM file of 2 frames; save each frame"):
        read_size(write(np.stack([PIXELS, PIXELS]), NumberOfFrames=2))
    with pytest.raises(UnreadableImageError, match="has a palette"):
        read_stored(write(PIXELS, PhotometricInterpretation="PALETTE COLOR"))
    (tmp_path / "b.dcm").write_bytes(b"no image")
    with pytest.raises(UnreadableImageError, match="is truncated or damaged"):
        read_size(tmp_path / "b.dcm")


def test_damaged_pixels_are_refused(write: Any) -> None:
    path = write(PIXELS)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UnreadableImageError, match="is truncated or damaged"):
        read_stored(path)


def test_without_pydicom_the_message_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dicom_files._pydicom.cache_clear()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    (tmp_path / "a.dcm").write_bytes(b"")
    with pytest.raises(UnreadableImageError, match=r"pip install 'segmentation-toolkit\[dicom\]'"):
        read_size(tmp_path / "a.dcm")
    dicom_files._pydicom.cache_clear()
