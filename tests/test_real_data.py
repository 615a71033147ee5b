import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.core.labels import VOID, Classes
from toolkit.core.rle import decode, encode
from toolkit.errors import DataError, SubmissionError
from toolkit.files.checking import check_training_data
from toolkit.files.images import read_image, read_mask_values
from toolkit.files.sources import find_images, find_training_data
from toolkit.files.submissions import read_submission, sample_layout
from toolkit.messages import Silent

pytestmark = pytest.mark.realdata


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, f"{arguments}: {result.output}{result.exception!r}"
    return result.stdout


def test_salt_masks_are_the_same_from_csv_and_from_png(real_data: Path) -> None:
    salt = real_data / "salt"
    from_csv = find_training_data(salt / "train" / "images", salt / "train.csv")
    from_png = find_training_data(salt / "train" / "images", salt / "train" / "masks")
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


def test_real_sample_submissions_give_columns_ids_and_order(real_data: Path) -> None:
    folder = real_data / "competition_csv"
    carvana = sample_layout(folder / "carvana_sample_submission_head.csv")
    assert carvana.columns == ("img", "rle_mask")
    assert carvana.rows[0] == ("0004d4463b50_01.jpg", "0004d4463b50_01")
    second = sample_layout(folder / "siim_stage2_sample_submission.csv")
    assert second.columns == ("ImageId", "EncodedPixels")
    assert read_submission(folder / "siim_stage2_sample_submission.csv")["ID_0011fe81e"] == ""
    # Its first stage has several rows for some images, which one row per image cannot answer.
    with pytest.raises(SubmissionError, match="several rows"):
        sample_layout(folder / "siim_stage1_sample_submission.csv")


def test_the_column_names_survive_a_byte_order_mark_and_a_leading_space(real_data: Path) -> None:
    assert sample_layout(real_data / "competition_csv" / "siim_train_rle_sample.csv").columns == ("fname", "mask")


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


def test_street_scenes_have_eleven_classes_and_void(real_data: Path) -> None:
    folder = real_data / "camvid" / "train"
    data = find_training_data(folder / "images", folder / "masks", STREET)
    index = check_training_data(data, Silent())
    assert len(index.ids) == 92
    assert (index.pixels.sum(axis=0) > 0).all()
    labels = [data.read_labels(image_id) for image_id in index.ids[:5]]
    assert all(set(np.unique(found)) <= {*range(11), VOID} for found in labels)
    assert any((found == VOID).any() for found in labels)


def test_void_that_is_not_named_is_a_value_of_no_class(real_data: Path) -> None:
    folder = real_data / "camvid" / "train"
    unnamed = Classes(STREET.names, "softmax", STREET.values)
    with pytest.raises(DataError, match="pixel values that no class has: 11"):
        check_training_data(find_training_data(folder / "images", folder / "masks", unnamed), Silent())


def test_membranes_can_be_the_foreground(real_data: Path) -> None:
    folder = real_data / "membrane" / "train"
    inside = find_training_data(folder / "images", folder / "masks")
    membranes = find_training_data(folder / "images", folder / "masks", Classes(values=((0,),)), channels=1)
    image_id = membranes.images.ids[0]
    assert membranes.images.read(image_id).shape == (512, 512, 1)
    assert np.array_equal(membranes.read_labels(image_id), 1 - inside.read_labels(image_id))


def test_every_row_of_a_nuclei_table_is_an_object(real_data: Path) -> None:
    folder = real_data / "nuclei"
    data = find_training_data(folder / "train" / "images", folder / "train_labels.csv")
    image_id = data.images.ids[0]
    objects = data.read_objects(image_id)
    assert objects is not None
    rows = sum(line.startswith(image_id) for line in (folder / "train_labels.csv").read_text().splitlines())
    assert objects.max() == rows
    assert np.array_equal(objects > 0, data.read_labels(image_id) == 1)
