from pathlib import Path

import pytest

from toolkit.files.recognition.folders.folder_scan import scan_folder
from toolkit.files.recognition.folders.roles import find_roles
from toolkit.files.recognition.folders.unread_files import no_masks, unread_files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.dicom", "end in .dcm"), ("a.nii.gz", "nibabel"), ("a.jp2", "ImageMagick"), ("a.pgm", "ImageMagick"),
        ("a.mat", "scipy.io.loadmat"), ("a.h5", "h5py"), ("a.zip", "unpack"), ("a.xml", "COCO"), ("a.svs", "tiles"),
        ("a.geojson", "rasterize"),
    ],
)  # fmt: skip
def test_a_kind_that_is_not_read_has_a_way_out(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).touch()
    (line,) = unread_files(scan_folder(tmp_path))
    assert line.startswith(f"1 .{name.partition('.')[2]} file, {name}: not read; ")
    assert words in line


def test_everything_is_listed(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf", "c.pdf", "d.pdf", "LICENSE", "x.json"):
        (tmp_path / name).touch()
    (tmp_path / "7.txt").write_text("0 0.1 0.2 0.3 0.4 0.5 0.6\n")
    scan = scan_folder(tmp_path)
    assert unread_files(scan, documents=True) == [
        "4 .pdf files, for example a.pdf",
        "1 file without extension, LICENSE",
        "1 .txt file, 7.txt: not read; YOLO polygons or boxes: Datumaro or CVAT exports them as COCO, masks: FILE.json",
        "1 .json file, x.json",
    ]
    assert len(unread_files(scan, read=[tmp_path / "7.txt"])) == 2


def test_the_advice_about_missing_masks_has_the_lines(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "12.jpg").touch()
    scan = scan_folder(tmp_path)
    told = no_masks(scan, find_roles(scan.folders, (), ()))
    assert f"--images {tmp_path / 'photos'} --masks FOLDER_OR_FILE" in told
    assert '  image_name: "{id}.jpg"\n  mask_name: "{id}_mask.png"' in told
