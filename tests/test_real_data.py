import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.config.data.classes import task_classes
from toolkit.config.data.competitions import find_competition
from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, IGNORE, Classes
from toolkit.core.masks.rle import decode, encode
from toolkit.errors import DataError, SubmissionError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import find_images
from toolkit.files.images.decoding import read_image, read_mask_values
from toolkit.files.inspection.checking import check_training_data
from toolkit.files.masks.rle_rows import runs_of
from toolkit.files.submissions.layout import (
    default_layout,
    encode_image,
    encode_objects,
    read_solution,
    read_submission,
    sample_layout,
    sample_layout_for,
    write_submission,
)
from toolkit.messages import Silent

pytestmark = pytest.mark.realdata


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, f"{arguments}: {result.output}{result.exception!r}"
    return result.stdout


def test_salt_masks_are_the_same_from_csv_and_from_png(real_data: Path) -> None:
    salt = real_data / "salt"
    from_csv = find_source(SourceKeys(images=salt / "train" / "images", masks=salt / "train.csv"), BINARY, 3, "data")
    from_png = find_source(
        SourceKeys(images=salt / "train" / "images", masks=salt / "train" / "masks"), BINARY, 3, "data"
    )
    assert len(from_csv.images.ids) == 3000
    for image_id in from_csv.images.ids:
        mask = from_csv.read_labels(image_id)
        assert np.array_equal(mask, from_png.read_labels(image_id)), image_id
        assert np.array_equal(decode(encode(mask == 1), (101, 101)), mask == 1)


@pytest.mark.parametrize(
    ("folder", "size"), [("nuclei", None), ("camvid", (360, 480)), ("membrane", (512, 512)), ("roots", (2273, 2550))]
)
def test_images_of_every_kind_become_rgb(real_data: Path, folder: str, size: tuple[int, int] | None) -> None:
    images = find_images(real_data / folder / "train" / "images", "images")
    for image_id in images.ids[:10]:
        image = read_image(images.paths[image_id])
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert size is None or image.shape[:2] == size


def test_membrane_masks_are_what_lies_above_zero(real_data: Path) -> None:
    masks = sorted((real_data / "membrane" / "train" / "masks").iterdir())
    assert 0.5 < np.mean([(read_mask_values(path) > 0).mean() for path in masks]) < 0.95


SAMPLES = {
    "siim_stage1_sample_submission.csv": ("siim-acr", 1372, 112),
    "siim_stage2_sample_submission.csv": ("siim-acr", 3205, 0),
    "severstal_test_pseudo_ImageId_ClassId.csv": ("severstal", 1801, 0),
    "airbus_sample_submission_v2.csv": ("airbus", 15606, 0),
    "carvana_sample_submission_head.csv": ("carvana", 500, 0),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_real_samples_give_columns_ids_and_order(real_data: Path, tmp_path: Path, name: str) -> None:
    """What is written for a real sample has its very cells, in its order, and is read back as it was written."""
    path = real_data / "competition_csv" / name
    preset, images, repeated = SAMPLES[name]
    form = find_competition(preset)
    layout = sample_layout(path, form)
    assert (len(layout.image_ids), layout.repeated) == (images, repeated)
    assert layout.columns == form.columns
    assert not any(image_id.endswith(".jpg") for image_id in layout.image_ids)
    rows = 2 if form.rows == "object" else max(1, len(form.classes))
    runs = {image_id: [f"{5 * row + 1} 2" for row in range(rows)] for image_id in layout.image_ids[::2]}
    empty = [""] * (0 if form.rows == "object" else rows)
    write_submission(tmp_path / "a.csv", layout, dict.fromkeys(layout.image_ids, empty) | runs)
    found = read_submission(tmp_path / "a.csv", form)
    stated = list(dict.fromkeys(row.split(",")[0] for row in path.read_text().splitlines()[1:]))
    assert list(dict.fromkeys(row.cells[0] for row in found.rows)) == stated
    first, second = layout.image_ids[:2]
    assert [row.text for row in found.by_image[first]] == list(runs[first])
    assert {row.text for row in found.by_image[second]} == {form.empty}


def test_the_first_stage_of_siim_names_images_again(real_data: Path) -> None:
    path = real_data / "competition_csv" / "siim_stage1_sample_submission.csv"
    with pytest.raises(SubmissionError, match="ids have several rows"):
        read_submission(path, find_competition("siim-acr"))


LABELS = {
    "siim_train_rle_sample.csv": ("siim-acr", (1024, 1024)),
    "severstal_train_head.csv": ("severstal", (256, 1600)),
    "severstal_test_pseudo_ImageId_ClassId.csv": ("severstal", (256, 1600)),
    "airbus_train_ship_segmentations_v2_sample.csv": ("airbus", (768, 768)),
}


@pytest.mark.parametrize("name", LABELS)
def test_real_labels_are_written_again_as_they_were(real_data: Path, name: str) -> None:
    preset, size = LABELS[name]
    form = find_competition(preset)
    solution = read_solution(real_data / "competition_csv" / name, form)
    texts = 0
    for image_id, rows in list(solution.by_image.items())[:200]:
        for row, mask in solution.decoded(image_id, size):
            text = runs_of(row.text, form)
            assert encode(mask, form.pixel_order, form.relative) == text.strip()
            texts += bool(text)
        assert len(solution.decoded(image_id, size)) == len(rows)
    assert texts > 0


def test_ships_become_objects(real_data: Path) -> None:
    form = find_competition("airbus")
    solution = read_solution(real_data / "competition_csv" / "airbus_train_ship_segmentations_v2_sample.csv", form)
    for image_id, rows in solution.by_image.items():
        objects = solution.objects(image_id, (768, 768))
        again = encode_objects(objects, form)
        assert len(again) == sum(bool(row.text) for row in rows)
        assert again == tuple(row.text.strip() for row in rows if row.text)


def test_defects_of_steel_are_read_by_class(real_data: Path, tmp_path: Path) -> None:
    table = real_data / "competition_csv" / "severstal_train_head.csv"
    form = find_competition("severstal")
    solution = read_solution(table, form)
    (tmp_path / "images").mkdir()
    for image_id in solution.by_image:
        cv2.imwrite(str(tmp_path / "images" / f"{image_id}.jpg"), np.zeros((256, 1600), np.uint8))
    classes = Classes(form.classes, values=((1,), (2,), (3,), (4,)))
    data = find_source(SourceKeys(images=tmp_path / "images", masks=table), classes, 3, "data", competition=form)
    for image_id in data.images.ids:
        expected = solution.masks(image_id, (256, 1600))
        assert np.array_equal(classes.planes(data.read_labels(image_id)) == 1, expected)


def test_nuclei_are_written_one_a_row_and_read_back(real_data: Path, tmp_path: Path) -> None:
    folder, form = real_data / "nuclei", find_competition("dsb2018")
    data = find_source(
        SourceKeys(images=folder / "train" / "images", masks=folder / "train_labels.csv"),
        BINARY,
        3,
        "data",
        competition=form,
    )
    objects = {}
    for image_id in data.images.ids[:30]:
        found = data.read_objects(image_id)
        assert found is not None
        objects[image_id] = found
    runs = {image_id: encode_objects(found, form) for image_id, found in objects.items()}
    write_submission(tmp_path / "a.csv", default_layout(runs, form), runs)
    submission = read_submission(tmp_path / "a.csv", form)
    truth = read_solution(folder / "train_labels.csv", form)
    for image_id, expected in objects.items():
        assert np.array_equal(submission.objects(image_id, expected.shape), expected)
        assert len(submission.by_image[image_id]) == len(truth.by_image[image_id])
    test = find_images(folder / "test" / "images", "data.test")
    layout = sample_layout_for(folder / "sample_submission.csv", test.ids, Silent(), form)
    assert len(layout.rows) == 40


def test_salt_has_its_preset(real_data: Path, tmp_path: Path) -> None:
    salt, form = real_data / "salt", find_competition("tgs-salt")
    with_preset = find_source(
        SourceKeys(images=salt / "train" / "images", masks=salt / "train.csv"), BINARY, 3, "data", competition=form
    )
    without = find_source(SourceKeys(images=salt / "train" / "images", masks=salt / "train.csv"), BINARY, 3, "data")
    masks = {image_id: with_preset.read_labels(image_id) for image_id in with_preset.images.ids[:200]}
    assert all(np.array_equal(found, without.read_labels(image_id)) for image_id, found in masks.items())
    runs = {image_id: encode_image(found[..., None] == 1, form) for image_id, found in masks.items()}
    write_submission(tmp_path / "a.csv", default_layout(runs, form), runs)
    given = {row.image_id: row.text for row in read_solution(salt / "train.csv", form).rows}
    assert all(row.text == given[row.image_id] for row in read_submission(tmp_path / "a.csv", form).rows)
    assert len(sample_layout(salt / "sample_submission.csv", form).rows) == 1000


@pytest.mark.train
def test_a_short_run_on_salt_ends_in_a_valid_submission(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    salt = real_data / "salt"
    for split, count in (("train", 160), ("test", 40)):
        (tmp_path / split).mkdir()
        for path in sorted((salt / split / "images").iterdir())[:count]:
            shutil.copy(path, tmp_path / split)
    tested = {path.stem for path in (tmp_path / "test").iterdir()}
    lines = (salt / "sample_submission.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if line.split(",")[0] in tested]
    (tmp_path / "sample_submission.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    monkeypatch.chdir(tmp_path)
    settings = ["architecture=Linknet", "backbone=resnet18", "encoder_weights=null", "shape=[64, 64, 3]"]
    settings += ["folds_count=2", "primary_metric=salt_map", "resize=pad"]
    settings += ["stages=[{epochs: 2}, {epochs: 1, negatives: 0.5, loss: binary_crossentropy+lovasz_loss}]"]
    data = ["--images", "train", "--masks", str(salt / "train.csv"), "--test", "test"]
    overrides = [word for setting in settings for word in ("--set", setting)]
    run("new", "exp042", *data, "--sample-submission", "sample_submission.csv", *overrides)
    fitted = json.loads(run("fit", "experiments/exp042", "--json"))
    assert 0 <= fitted["all"] <= 1
    run("ensemble", "exp042", "--views", "hflip", "--name", "flipped")
    tuned = json.loads(run("tune", "--json"))
    assert tuned["experiment"] == "flipped"
    assert tuned["tuned"] >= tuned["untuned"]
    run("submit", "--threshold", "0.25")
    written = (tmp_path / "submissions" / "flipped.csv").read_text().splitlines()
    assert written[0] == "id,rle_mask"
    assert [line.split(",")[0] for line in written[1:]] == [line.split(",")[0] for line in kept]
    for line in written[1:]:
        assert decode(line.split(",")[1], (101, 101)).shape == (101, 101)


STREET = Classes(
    ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"),
    "softmax",
    tuple((value,) for value in range(11)),
    (11,),
)


def test_street_scenes_have_eleven_classes_and_ignored(real_data: Path) -> None:
    folder = real_data / "camvid" / "train"
    data = find_source(SourceKeys(images=folder / "images", masks=folder / "masks"), STREET, 3, "data")
    index = check_training_data(data, Silent())
    assert len(index.ids) == 92
    assert (index.pixels.sum(axis=0) > 0).all()
    labels = [data.read_labels(image_id) for image_id in index.ids[:5]]
    assert all(set(np.unique(found)) <= {*range(11), IGNORE} for found in labels)
    assert any((found == IGNORE).any() for found in labels)


def test_ignored_that_is_not_named_is_a_value_of_no_class(real_data: Path) -> None:
    folder = real_data / "camvid" / "train"
    unnamed = Classes(STREET.names, "softmax", STREET.values)
    with pytest.raises(DataError, match="pixel values that no class has: 11"):
        check_training_data(
            find_source(SourceKeys(images=folder / "images", masks=folder / "masks"), unnamed, 3, "data"), Silent()
        )


def test_membranes_can_be_the_foreground(real_data: Path) -> None:
    folder = real_data / "membrane" / "train"
    inside = find_source(SourceKeys(images=folder / "images", masks=folder / "masks"), BINARY, 3, "data")
    membranes = find_source(
        SourceKeys(images=folder / "images", masks=folder / "masks"), Classes(values=((0,),)), 1, "data"
    )
    image_id = membranes.images.ids[0]
    assert membranes.images.read(image_id).shape == (512, 512, 1)
    assert np.array_equal(membranes.read_labels(image_id), 1 - inside.read_labels(image_id))


def test_every_row_of_a_nuclei_table_is_an_object(real_data: Path) -> None:
    folder = real_data / "nuclei"
    data = find_source(
        SourceKeys(images=folder / "train" / "images", masks=folder / "train_labels.csv"), BINARY, 3, "data"
    )
    image_id = data.images.ids[0]
    objects = data.read_objects(image_id)
    assert objects is not None
    rows = sum(line.startswith(image_id) for line in (folder / "train_labels.csv").read_text().splitlines())
    assert objects.max() == rows
    assert np.array_equal(objects > 0, data.read_labels(image_id) == 1)


def test_real_masks_written_in_other_ways_read_back_equal(real_data: Path, tmp_path: Path) -> None:
    nuclei = find_source(
        SourceKeys(images=real_data / "nuclei" / "train" / "images", masks=real_data / "nuclei" / "train_labels.csv"),
        BINARY,
        3,
        "data",
    )
    camvid = find_source(
        SourceKeys(images=real_data / "camvid" / "train" / "images", masks=real_data / "camvid" / "train" / "masks"),
        Classes(tuple(map(str, range(11))), "softmax", tuple((value,) for value in range(11)), (11,)),
        3,
        "data",
    )
    for name in ("objects", "colours"):
        (tmp_path / name).mkdir()
    palette = np.random.default_rng(0).permutation(256**3)[:256]
    colours = np.stack([palette >> 16, palette >> 8 & 255, palette & 255], axis=1).astype(np.uint8)
    for image_id in nuclei.images.ids[:5]:
        objects = nuclei.read_objects(image_id)
        assert objects is not None
        Image.fromarray(objects.astype(np.uint16)).save(tmp_path / "objects" / f"{image_id}_x.png")
    for image_id in camvid.images.ids[:5]:
        Image.fromarray(colours[camvid.read_labels(image_id)]).save(tmp_path / "colours" / f"{image_id}_x.png")
    named = {str(number): colours[number].tolist() for number in range(11)} | {"ignore": colours[255].tolist()}
    for labelled, folder, keys, classes in (
        (nuclei, "objects", {"mask_encoding": "instances"}, 1),
        (camvid, "colours", {"colors": {name: tuple(colour) for name, colour in named.items()}}, camvid.classes.names),
    ):
        images = real_data / ("nuclei" if folder == "objects" else "camvid") / "train" / "images"
        source = SourceKeys(images=images, masks=tmp_path / folder, mask_name="{id}_x.png", **keys)
        activation = labelled.classes.activation
        written = find_source(source, task_classes(classes, activation, source), 3, "data")
        for image_id in labelled.images.ids[:5]:
            np.testing.assert_array_equal(written.read_labels(image_id), labelled.read_labels(image_id))
            if folder == "objects":
                np.testing.assert_array_equal(written.read_objects(image_id), labelled.read_objects(image_id))
