"""The twelve competitions as Kaggle unpacks them: init and data read the right masks, and a submission is accepted.

Covers toolkit/files/recognition/folders/channel_stacks.py and composed_ids.py.
"""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from toolkit.commands.inspecting.data import examine_data
from toolkit.commands.session import Session
from toolkit.commands.starting.init import init
from toolkit.commands.starting.new import DataFiles, new
from toolkit.commands.submitting.check import check
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.commands.training.fit import fit
from toolkit.config.data.competitions import find_competition
from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.core.masks.rle import encode
from toolkit.errors import ToolkitError
from toolkit.files.data.as_unpacked import find_unpacked_images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.submissions.checks import check_submission
from toolkit.files.submissions.expectations import Expected, TestImages
from toolkit.files.submissions.layout import (
    default_layout,
    encode_image,
    encode_objects,
    read_submission,
    write_submission,
)
from toolkit.messages import Silent

Masks = Mapping[str, np.ndarray]
"""The truth by id: bool (height, width), or (height, width, classes)."""


def blob(seed: int, size: tuple[int, int], *, empty: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A noisy grey picture with a bright ellipse, uint8, and its mask."""
    random = np.random.default_rng(seed)
    height, width = size
    mask = np.zeros(size, np.uint8)
    if not empty:
        centre = (int(random.integers(width // 4, 3 * width // 4)), int(random.integers(height // 4, 3 * height // 4)))
        cv2.ellipse(mask, centre, (width // 5, height // 9), float(random.integers(0, 80)), 0, 360, 1, -1)
    small = random.normal(90, 9, (max(1, height // 4), max(1, width // 4)))
    picture = cv2.resize(small, (width, height)) + 90.0 * mask
    return np.clip(picture, 0, 255).astype(np.uint8), mask.astype(bool)


def save(path: Path, pixels: np.ndarray, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def table(path: Path, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def airbus(root: Path) -> Masks:
    truth, rows = {}, []
    for number in range(5):
        name = f"{number:03x}a1aab5b"
        picture, first = blob(number, (768, 768), empty=number % 3 == 2)
        second = np.zeros_like(first)
        if first.any():
            second[5:15, 7:30] = True
        save(root / f"train_v2/{name}.jpg", np.stack([picture] * 3, 2))
        parts = [mask for mask in (first, second & ~first) if mask.any()]
        rows += [(f"{name}.jpg", encode(mask)) for mask in parts] or [(f"{name}.jpg", "")]
        truth[name] = first | second
    table(root / "train_ship_segmentations_v2.csv", ["ImageId", "EncodedPixels"], rows)
    save(root / "test_v2/fffa1aab5.jpg", np.stack([blob(9, (768, 768))[0]] * 3, 2))
    table(root / "sample_submission_v2.csv", ["ImageId", "EncodedPixels"], [("fffa1aab5.jpg", "1 2")])
    return truth


def carvana(root: Path) -> Masks:
    truth, rows, cars = {}, [], []
    for number in range(4):
        name = f"{number // 2:04d}d4463b50_{number % 2 + 1:02d}"
        picture, mask = blob(number, (1280, 1918))
        save(root / f"train/{name}.jpg", np.stack([picture] * 3, 2))
        save(root / f"train_masks/{name}_mask.gif", (mask * 255).astype(np.uint8))
        rows.append((f"{name}.jpg", encode(mask, "row")))
        truth[name] = mask
        cars.append((name[:-3], 2008, "Porsche", "Boxster", "Base", "Base"))
    table(root / "train_masks.csv", ["img", "rle_mask"], rows)
    table(root / "metadata.csv", ["id", "year", "make", "model", "trim1", "trim2"], cars[::2])
    save(root / "test/9994d4463b50_01.jpg", np.stack([blob(9, (1280, 1918))[0]] * 3, 2))
    table(root / "sample_submission.csv", ["img", "rle_mask"], [("9994d4463b50_01.jpg", "1 1")])
    return truth


def clouds(root: Path) -> Masks:
    names, truth, rows = ("Fish", "Flower", "Gravel", "Sugar"), {}, []
    for number in range(4):
        image_id = f"{number}11165"
        picture, mask = blob(number, (1400, 2100))
        save(root / f"train_images/{image_id}.jpg", np.stack([picture] * 3, 2))
        planes = np.zeros((1400, 2100, 4), bool)
        planes[:, :, number] = mask
        planes[100:300, 150:900, (number + 1) % 4] = True
        rows += [(f"{image_id}.jpg_{name}", encode(planes[:, :, place])) for place, name in enumerate(names)]
        truth[image_id] = planes
    table(root / "train.csv", ["Image_Label", "EncodedPixels"], rows)
    save(root / "test_images/002f507.jpg", np.stack([blob(9, (1400, 2100))[0]] * 3, 2))
    asked = [(f"002f507.jpg_{name}", "1 1") for name in names]
    table(root / "sample_submission.csv", ["Image_Label", "EncodedPixels"], asked)
    return truth


def contrails(root: Path) -> Masks:
    truth, tests = {}, []
    for part, first in (("train", 0), ("validation", 6), ("test", 9)):
        for number in range(first, first + 3 + 3 * (part == "train")):
            record = root / part / str(1000603527582775543 + number * 7919)
            record.mkdir(parents=True)
            picture, mask = blob(number, (256, 256), empty=number % 3 == 1)
            for band in range(8, 17):
                values = np.zeros((256, 256, 8), np.float32) + 230 + band
                values[:, :, 4] += picture / 4
                np.save(record / f"band_{band:02d}.npy", values)
            if part != "test":
                np.save(record / "human_pixel_masks.npy", mask[..., None].astype(np.int32))
            if part == "train":
                individual = np.repeat(mask[..., None, None], 4, 3).astype(np.int32)
                np.save(record / "human_individual_masks.npy", individual)
                truth[record.name] = mask
            if part == "test":
                tests.append((record.name, "1 1 5 1"))
    table(root / "sample_submission.csv", ["record_id", "encoded_pixels"], tests)
    (root / "train_metadata.json").write_text("[]")
    (root / "validation_metadata.json").write_text("[]")
    return truth


def dsb2018(root: Path) -> Masks:
    truth, rows = {}, []
    for number in range(5):
        name = f"{number:x}" * 64
        picture, mask = blob(number, (40 + 8 * number, 64))
        other = np.zeros_like(mask)
        other[1:5, 2:9] = True
        save(root / f"stage1_train/{name}/images/{name}.png", np.dstack([picture] * 3 + [np.full_like(picture, 255)]))
        for place, one in enumerate((mask, other & ~mask)):
            save(root / f"stage1_train/{name}/masks/{place}{name[1:]}.png", (one * 255).astype(np.uint8))
            rows.append((name, encode(one)))
        truth[name] = mask | other
    table(root / "stage1_train_labels.csv", ["ImageId", "EncodedPixels"], rows)
    for number in (10, 11, 12):
        name = f"{number:x}" * 64
        picture = blob(number, (48, 64))[0]
        save(root / f"stage1_test/{name}/images/{name}.png", np.dstack([picture] * 3 + [np.full_like(picture, 255)]))
    asked = [(f"{number:x}" * 64, "") for number in (10, 11, 12)]
    table(root / "stage1_sample_submission.csv", ["ImageId", "EncodedPixels"], asked)
    return truth


def hubmap(root: Path) -> Masks:
    truth, rows = {}, []
    for number, name in enumerate(("0486052bb", "095bf7a1f", "1e2425f28", "2f6ecfcdf")):
        picture, mask = blob(number, (96 + 16 * number, 160))
        colours = np.stack([picture, picture // 2, picture // 3], 2)
        (root / "train").mkdir(parents=True, exist_ok=True)
        if number % 2:  # some files hold a page per colour
            pages = np.moveaxis(colours, 2, 0)[None, None]
            tifffile.imwrite(
                root / f"train/{name}.tiff", pages, ome=True, metadata={"axes": "TZCYX"}, photometric="minisblack"
            )
        else:
            tifffile.imwrite(root / f"train/{name}.tiff", colours, photometric="rgb", tile=(16, 16))
        polygon = [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [5, 2]]]}}]
        (root / f"train/{name}.json").write_text(json.dumps(polygon))
        (root / f"train/{name}-anatomical-structure.json").write_text(json.dumps(polygon))
        rows.append((name, encode(mask)))
        truth[name] = mask
    table(root / "train.csv", ["id", "encoding"], rows)
    (root / "test").mkdir()
    tifffile.imwrite(root / "test/aa05346ff.tiff", np.stack([blob(9, (96, 160))[0]] * 3, 2), photometric="rgb")
    (root / "test/aa05346ff-anatomical-structure.json").write_text("[]")
    table(root / "sample_submission.csv", ["id", "predicted"], [("aa05346ff", "")])
    details = [(f"{name}.tiff", 160, 96, "p", "White", 70) for name in (*truth, "aa05346ff")]
    table(
        root / "HuBMAP-20-dataset_information.csv",
        ["image_file", "width_pixels", "height_pixels", "patient_number", "race", "age"],
        details,
    )
    return truth


def sartorius(root: Path) -> Masks:
    truth, rows = {}, []
    for number in range(4):
        name = f"{number:02d}30fd0e6378"
        picture, mask = blob(number, (520, 704))
        other = np.zeros_like(mask)
        other[3:20, 5:60] = True
        save(root / f"train/{name}.png", picture)
        details = (704, 520, "shsy5y", "1h", "2019", f"shsy5y[diff]_{number}", "0")
        rows += [(name, encode(one, "row"), *details) for one in (mask, other & ~mask)]
        truth[name] = mask | other
    columns = ["id", "annotation", "width", "height", "cell_type", "plate_time", "sample_date", "sample_id", "elapsed"]
    table(root / "train.csv", columns, rows)
    save(root / "test/7ae19de7bc2a.png", blob(9, (520, 704))[0])
    save(root / "train_semi_supervised/astro[hippo]_1.png", blob(8, (520, 704))[0])
    live = root / "LIVECell_dataset_2021/images/livecell_train_val_images/A172"
    live.mkdir(parents=True)
    tifffile.imwrite(live / "A172_Phase_A7_1_00d00h00m_1.tif", blob(7, (520, 704))[0])
    annotations = root / "LIVECell_dataset_2021/annotations/LIVECell"
    annotations.mkdir(parents=True)
    (annotations / "livecell_coco_train.json").write_text(json.dumps({"info": {}, "images": []}))
    table(root / "sample_submission.csv", ["id", "predicted"], [("7ae19de7bc2a", "118145 6 118849 7")])
    return truth


def severstal(root: Path) -> Masks:
    truth, rows = {}, []
    for number in range(5):
        name = f"{number:03d}2cc93b"
        picture, mask = blob(number, (256, 1600), empty=number == 4)
        save(root / f"train_images/{name}.jpg", np.stack([picture] * 3, 2))
        planes = np.zeros((256, 1600, 4), bool)
        planes[:, :, number % 4] = mask
        rows += [
            (f"{name}.jpg", place + 1, encode(planes[:, :, place])) for place in range(4) if planes[:, :, place].any()
        ]
        truth[name] = planes
    table(root / "train.csv", ["ImageId", "ClassId", "EncodedPixels"], rows)
    save(root / "test_images/0000f269f.jpg", np.stack([blob(9, (256, 1600))[0]] * 3, 2))
    asked = [(f"0000f269f.jpg_{number}", "1 1") for number in (1, 2, 3, 4)]
    table(root / "sample_submission.csv", ["ImageId_ClassId", "EncodedPixels"], asked)
    return truth


def siim_acr(root: Path) -> Masks:
    truth, rows = {}, []
    for number in range(5):
        name = f"1.2.276.0.7230010.3.1.4.8323329.{1000 + number}.1517875{number}"
        picture, mask = blob(number, (1024, 1024), empty=number == 4)
        other = np.zeros_like(mask)
        if number == 1:
            other[10:50, 20:90] = True
        dicom(root / f"dicom-images-train/{name[:-3]}2.1/{name[:-3]}3.{number}/{name}.dcm", picture)
        parts = [one for one in (mask, other & ~mask) if one.any()]
        rows += [(name, encode(one, relative=True)) for one in parts] or [(name, "-1")]
        truth[name] = mask | other
    table(root / "train-rle.csv", ["ImageId", " EncodedPixels"], rows)
    asked = []
    for number in (7, 8):
        name = f"1.2.276.0.7230010.3.1.4.8323329.{1000 + number}.1517875{number}"
        dicom(
            root / f"dicom-images-test/{name[:-3]}2.1/{name[:-3]}3.{number}/{name}.dcm", blob(number, (1024, 1024))[0]
        )
        asked.append((name, "-1"))
    table(root / "sample_submission.csv", ["ImageId", "EncodedPixels"], asked)
    return truth


def dicom(path: Path, picture: np.ndarray) -> None:
    """A file with JPEG compression, as those of the competition."""
    pydicom = pytest.importorskip("pydicom")
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, coded = cv2.imencode(".jpg", picture)
    assert ok
    header = pydicom.dataset.Dataset()
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", path.stem
    header.Rows, header.Columns = picture.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 8, 8, 7, 0
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    header.PixelData = pydicom.encaps.encapsulate([coded.tobytes()])
    header["PixelData"].is_undefined_length = True
    header.save_as(path, enforce_file_format=True)


def tgs_salt(root: Path) -> Masks:
    truth, rows = {}, []
    for number in range(6):
        name = f"{number}00a8bc5ab"
        picture, mask = blob(number, (101, 101), empty=number % 3 == 2)
        save(root / f"train/images/{name}.png", np.stack([picture] * 3, 2))
        save(root / f"train/masks/{name}.png", mask.astype(np.uint16) * 65535 if mask.any() else mask.astype(np.uint8))
        rows.append((name, encode(mask)))
        truth[name] = mask
    table(root / "train.csv", ["id", "rle_mask"], rows)
    save(root / "test/images/fff8dc5ab.png", np.stack([blob(9, (101, 101))[0]] * 3, 2))
    table(root / "depths.csv", ["id", "z"], [(name, 500) for name in (*truth, "fff8dc5ab")])
    table(root / "sample_submission.csv", ["id", "rle_mask"], [("fff8dc5ab", "1 1")])
    return truth


def uw_madison(root: Path) -> Masks:
    names, truth, rows = ("large_bowel", "small_bowel", "stomach"), {}, []
    for case, day in ((2, 1), (2, 3), (7, 0), (101, 20)):
        for slice_number in (1, 2, 3):
            height, width = (266, 276) if case != 101 else (310, 360)
            image_id = f"case{case}_day{day}_slice_{slice_number:04d}"
            picture, mask = blob(case + day + slice_number, (height, width), empty=slice_number == 1)
            scans = root / f"train/case{case}/case{case}_day{day}/scans"
            spacing = f"{width}_{height}_1.50_1.50"
            save(scans / f"slice_{slice_number:04d}_{spacing}.png", picture.astype(np.uint16) * 60)
            planes = np.zeros((height, width, 3), bool)
            planes[:, :, slice_number - 1] = mask
            rows += [(image_id, name, encode(planes[:, :, place], "row")) for place, name in enumerate(names)]
            truth[image_id] = planes
    table(root / "train.csv", ["id", "class", "segmentation"], rows)
    table(root / "sample_submission.csv", ["id", "class", "predicted"], [])
    return truth


def vesuvius(root: Path) -> Masks:
    truth = {}
    for name in ("1", "2", "3", "a", "b"):
        part = "train" if name.isdecimal() else "test"
        picture, mask = blob(ord(name), (96 + 8 * (ord(name) % 3), 80))
        for layer in range(12):
            path = root / f"{part}/{name}/surface_volume/{layer:02d}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, picture.astype(np.uint16) * 200 + layer)
        save(root / f"{part}/{name}/mask.png", np.full(mask.shape, 255, np.uint8))
        if part == "train":
            save(root / f"train/{name}/inklabels.png", (mask * 255).astype(np.uint8))
            save(root / f"train/{name}/ir.png", picture)
            table(root / f"train/{name}/inklabels_rle.csv", ["Id", "Predicted"], [(name, encode(mask, "row"))])
            truth[name] = mask
    table(root / "sample_submission.csv", ["Id", "Predicted"], [("a", "1 1 5 1"), ("b", "1 1 5 1")])
    return truth


FOLDERS: Mapping[str, Callable[[Path], Masks]] = {
    "airbus": airbus,
    "carvana": carvana,
    "clouds": clouds,
    "contrails": contrails,
    "dsb2018": dsb2018,
    "hubmap": hubmap,
    "sartorius": sartorius,
    "severstal": severstal,
    "siim-acr": siim_acr,
    "tgs-salt": tgs_salt,
    "uw-madison": uw_madison,
    "vesuvius": vesuvius,
}


_SLOW = ("carvana", "clouds", "siim-acr", "airbus", "severstal", "sartorius")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.train] * (name in _SLOW)) for name in FOLDERS],
)
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Masks]:
    """The name of a competition, a working folder with its files in `data`, and the true masks."""
    root = tmp_path_factory.mktemp(request.param)
    (root / "data").mkdir()
    return request.param, root, FOLDERS[request.param](root / "data")


def planes_of(config: Config, image_id: str) -> np.ndarray:
    """The mask that an experiment takes, bool (height, width), or (height, width, classes) with several."""
    labels = find_labelled(config).read_labels(image_id)
    if config.task_classes.count == 1:
        return labels == 1
    return np.stack([labels >> number & 1 for number in range(config.task_classes.count)], axis=2).astype(bool)


def test_init_reads_the_files_as_they_are(unpacked: tuple[str, Path, Masks]) -> None:
    name, root, truth = unpacked
    session = Session(Workspace(root))
    result = init(session, root / "data")
    config = load_config(root / "experiments/baseline/config.yaml").config
    assert config.data.competition is not None
    assert config.data.competition.name == name
    assert result.training_images == len(truth)
    wrong = [image_id for image_id, mask in truth.items() if not np.array_equal(planes_of(config, image_id), mask)]
    assert not wrong
    assert result.test_images or name == "uw-madison"  # whose test images are hidden
    offered = "neighbours: {offsets: [-1, 0, 1], order_by" in " ".join(one.other for one in result.recognised)
    assert offered == (name == "uw-madison")
    found = examine_data(session, "baseline")
    assert found.exit_code == 0, found.findings


def test_the_true_masks_make_a_submission_that_is_accepted(unpacked: tuple[str, Path, Masks]) -> None:
    name, root, truth = unpacked
    form = find_competition(name)
    layout = default_layout(truth, form)
    runs: dict[str, tuple[str, ...]] = {}
    for image_id, mask in truth.items():
        planes = mask[..., None] if mask.ndim == 2 else mask
        objects = cv2.connectedComponents(planes[..., 0].astype(np.uint8))[1]
        runs[image_id] = encode_objects(objects, form) if form.rows == "object" else encode_image(planes, form)
    write_submission(root / "own.csv", layout, runs)
    images = find_unpacked_images(form, root / "data" / PLACES[name], "--images").only(truth)
    known = TestImages(frozenset(truth), images.size)
    checked = check_submission(root / "own.csv", Expected(form, None, None, known), Silent())
    assert not checked.is_refused, checked.findings
    read = read_submission(root / "own.csv", form)
    for image_id, mask in truth.items():
        if form.output_size in (None, mask.shape[:2]):
            expected = mask[..., None] if mask.ndim == 2 else mask
            assert np.array_equal(read.masks(image_id, mask.shape[:2]), expected)


PLACES = {
    "airbus": "train_v2", "carvana": "train", "clouds": "train_images", "contrails": "train",
    "dsb2018": "stage1_train", "hubmap": "train", "sartorius": "train", "severstal": "train_images",
    "siim-acr": "dicom-images-train", "tgs-salt": "train/images", "uw-madison": "train", "vesuvius": "train",
}  # fmt: skip


@pytest.mark.train
@pytest.mark.parametrize("name", ["contrails", "siim-acr", "vesuvius"])
def test_a_folder_leads_to_a_submission(name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    FOLDERS[name](tmp_path / "data")
    session = Session(Workspace(tmp_path))
    init(session, tmp_path / "data")
    small = [
        "architecture=ModularUnet", "architecture_options={depth: 1, convolutions: 1, start_filters: 2}",
        "backbone=null", "encoder_weights=null", "folds_count=2", "batch=2",
        "stages=[{epochs: 1}]",
    ]  # fmt: skip
    fit(session, "baseline", overrides=small)
    submit(session, "baseline", options=SubmitOptions(threshold=0.5))
    sample = next((tmp_path / "data").rglob("sample_submission.csv"))
    images = tmp_path / "data" / ("dicom-images-test" if name == "siim-acr" else "test")
    found = check(session, tmp_path / "submissions/baseline.csv", sample=sample, images=images, competition=name)
    assert found.exit_code == 0, found.findings


def refused(root: Path) -> str:
    with pytest.raises(ToolkitError) as told:
        init(Session(Workspace(root)), root / "data")
    assert not (root / "experiments/baseline").exists()
    return f"{told.value.message}\n{told.value.advice}"


def test_masks_that_are_not_those_of_the_competition_are_not_taken_for_them(tmp_path: Path) -> None:
    vesuvius(tmp_path / "data")
    for path in tmp_path.rglob("inklabels.png"):
        path.unlink()
    told = refused(tmp_path)
    assert "there is no file {id}/inklabels.png beside them, which has their masks; found {id}/mask.png" in told
    keys = ("--images", "data/train", "--masks", "data/train", "--competition", "vesuvius")
    assert " ".join(keys[-2:]) in told
    line = 'data.mask_name="{id}/mask.png"'
    assert line in told
    data = DataFiles(tmp_path / "data/train", tmp_path / "data/train", competition="vesuvius")
    assert new(Session(Workspace(tmp_path)), "own", files=data, overrides=[line]).training_images == 3


def test_a_lacking_layer_is_told(tmp_path: Path) -> None:
    vesuvius(tmp_path / "data")
    (tmp_path / "data/train/2/surface_volume/05.tif").unlink()
    told = refused(tmp_path)
    assert "1 of 3 images" in told
    assert "  2: 05" in told
    assert "data.channels" in told


def test_individual_masks_alone_are_told_with_their_shape(tmp_path: Path) -> None:
    contrails(tmp_path / "data")
    for path in tmp_path.rglob("human_pixel_masks.npy"):
        path.unlink()
    assert "human_individual_masks.npy; not used: files; each holds an array of shape (256, 256, 1, 4)" in refused(
        tmp_path
    )


def test_contrails_are_known_without_a_sample_submission(tmp_path: Path) -> None:
    contrails(tmp_path / "data")
    (tmp_path / "data/sample_submission.csv").unlink()
    result = init(Session(Workspace(tmp_path)), tmp_path / "data")
    config = load_config(tmp_path / "experiments/baseline/config.yaml").config
    assert config.data.table_format.name == "contrails"
    assert (config.data.channels, config.data.planes) == (("11", "14", "15"), (4,))
    assert any("human_individual_masks.npy: 6 files; each holds an array of shape" in line for line in result.not_used)


def test_the_mask_files_of_nuclei_are_objects_where_there_is_no_table(tmp_path: Path) -> None:
    truth = dsb2018(tmp_path / "data")
    (tmp_path / "data/stage1_train_labels.csv").unlink()
    init(Session(Workspace(tmp_path)), tmp_path / "data")
    config = load_config(tmp_path / "experiments/baseline/config.yaml").config
    assert config.data.mask_encoding == "instances"
    assert all(np.array_equal(planes_of(config, image_id), mask) for image_id, mask in truth.items())
