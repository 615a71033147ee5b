import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.config.loading import load_config
from toolkit.errors import DataError, MissingFileError, NothingToLearnError
from toolkit.files.datasets.dataset import Dataset, background_digest, find_dataset
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent

WriteExperiment = Callable[..., Experiment]


@pytest.fixture
def competition(tiny_competition: Workspace) -> Workspace:
    """The tiny competition, also with mask files, two more images with masks, and three without."""
    data = tiny_competition.root / "data"
    random = np.random.default_rng(0)
    for number in range(5):
        folder = data / ("more/images" if number < 2 else "negatives")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:03d}.png"), random.integers(0, 256, (30, 20, 3), np.uint8))
    (data / "more" / "train.csv").write_text("id,rle_mask\n000,1 40\n001,\n")
    labelled = find(tiny_competition, "plain").labelled
    (data / "masks").mkdir()
    for image_id in labelled.images.ids:
        cv2.imwrite(str(data / "masks" / f"{image_id}.png"), labelled.read_labels(image_id) * 2)
    return tiny_competition


def find(workspace: Workspace, name: str, *overrides: str) -> Dataset:
    return find_dataset(load_config(workspace.find(name).config, overrides).config, Silent())


EXTRA = """\
data:
  extra_train_data: [{images: ../../data/more/images, masks: ../../data/more/train.csv}]
  external_negatives: ../../data/negatives
"""


def test_every_fold_trains_on_extra_images_and_none_validates_on_them(
    competition: Workspace, write_experiment: WriteExperiment
) -> None:
    write_experiment(competition, "more", EXTRA)
    dataset = find(competition, "more")
    assert len(dataset.index.ids) == 20
    folds = np.arange(20) % 4
    pool = dataset.pool(folds)
    extra = [sample.image_id for sample in pool.samples[20:]]
    assert extra == ["000", "001", "002", "003", "004"]
    assert pool.has_foreground[20:].tolist() == [True, False, False, False, False]
    assert all(pool.samples[position].labels().shape == (30, 20) for position in range(20, 25))
    for fold in range(4):
        assert set(pool.training_positions(fold)) == {*np.flatnonzero(folds != fold), *range(20, 25)}
        assert set(pool.validation_positions(fold)) == set(np.flatnonzero(folds == fold))


def test_extra_images_that_folds_hold_out_are_refused(
    competition: Workspace, write_experiment: WriteExperiment
) -> None:
    write_experiment(competition, "more", EXTRA)
    data = competition.root / "data"
    pixels = {number: cv2.imread(str(data / "train" / "images" / f"{number:03d}.png")) for number in (5, 7)}
    cv2.imwrite(str(data / "more" / "images" / "001.png"), pixels[5])
    cv2.imwrite(str(data / "negatives" / "003.tif"), pixels[7])
    (data / "negatives" / "003.png").unlink()
    with pytest.raises(DataError) as told:
        find(competition, "more")
    head, *lines = told.value.message.splitlines()
    assert head.startswith(f"2 extra images have the same pixels as images of {data / 'train' / 'images'}")
    assert lines == [f"  001 of {data / 'more' / 'images'} is 005", f"  003 of {data / 'negatives'} is 007"]
    assert told.value.advice.startswith(f"Remove these images from {data / 'more' / 'images'}, {data / 'negatives'}")
    with pytest.raises(DataError, match="1 extra images"):
        find(competition, "more", "data.external_negatives=null")
    pixels[5][0, 0, 0] ^= 1
    cv2.imwrite(str(data / "more" / "images" / "001.png"), pixels[5])
    find(competition, "more", "data.external_negatives=null")


def test_a_long_list_of_leaks_is_shortened_and_counted(
    competition: Workspace, write_experiment: WriteExperiment
) -> None:
    write_experiment(competition, "more", EXTRA)
    images = competition.root / "data" / "train" / "images"
    for number in range(23):
        shutil.copy(images / f"{2 + number % 18:03d}.png", competition.root / "data" / "negatives" / f"{number}.png")
    with pytest.raises(DataError, match="23 extra images") as told:
        find(competition, "more")
    lines = told.value.message.splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == "  … and 3 more"


def test_constant_images_are_not_a_leak(competition: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(competition, "more", EXTRA)
    data = competition.root / "data"
    shutil.copy(data / "train" / "images" / "001.png", data / "negatives" / "003.png")
    dataset = find(competition, "more")
    negatives = dataset.extra[1][1]
    assert (dataset.index.constant, negatives.constant) == (("001",), ("003",))
    assert dataset.index.images[1] == negatives.images[1]


@pytest.mark.train  # takes a second
def test_digests_cover_all_training_data(competition: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(competition, "more", EXTRA)
    plain, more = find(competition, "plain").digests, find(competition, "more").digests
    assert set(plain) == {"training_data", "training_pixels", "test_data"}
    assert set(more) == {*plain, "extra_data"}
    assert more["training_data"] == plain["training_data"]
    data = competition.root / "data"
    found = {more["extra_data"]}
    (data / "more" / "train.csv").write_text("id,rle_mask\n000,1 41\n001,\n")
    found.add(find(competition, "more").digests["extra_data"])
    cv2.imwrite(str(data / "negatives" / "003.png"), np.eye(20, dtype=np.uint8))
    found.add(find(competition, "more").digests["extra_data"])
    (data / "negatives" / "004.png").unlink()
    found.add(find(competition, "more").digests["extra_data"])
    found.add(find(competition, "more", "data.external_negatives=null").digests["extra_data"])
    assert len(found) == 5
    assert find(competition, "more").digests["training_data"] == plain["training_data"]


def test_the_digest_of_pixels_is_the_same_for_other_files(competition: Workspace) -> None:
    before = find(competition, "plain").digests
    image = competition.root / "data" / "train" / "images" / "003.png"
    pixels = cv2.imread(str(image), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(image), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    same = find(competition, "plain").digests
    assert same["training_data"] != before["training_data"]
    assert same["training_pixels"] == before["training_pixels"]
    pixels[0, 0] ^= 1
    cv2.imwrite(str(image), pixels)
    assert find(competition, "plain").digests["training_pixels"] != before["training_pixels"]


@pytest.mark.train  # takes a second
def test_the_digest_covers_how_masks_are_read(competition: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(competition, "files", "data: {masks: ../../data/masks}\n")
    settings = [
        (),
        ("data.mask_values=[2]",),
        ("data.mask_values=[[0]]",),
        ("data.ignore=3",),
        ("classes=[salt]",),
    ]
    assert len({find(competition, "files", *each).digests["training_data"] for each in settings}) == len(settings)
    moved = competition.root / "elsewhere"
    shutil.copytree(competition.root / "data", moved)
    same = find(competition, "files", f"data.masks={moved / 'masks'}", f"data.images={moved / 'train' / 'images'}")
    assert same.digests == find(competition, "files").digests


def test_extra_data_may_lack_foreground(competition: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(competition, "more", EXTRA)
    (competition.root / "data" / "more" / "train.csv").write_text("id,rle_mask\n000,\n001,\n")
    assert not find(competition, "more").pool(np.zeros(20, np.int64)).has_foreground[20:].any()
    (competition.root / "data" / "train.csv").write_text("id,rle_mask\n" + "".join(f"{n:03d},\n" for n in range(20)))
    with pytest.raises(NothingToLearnError, match="empty"):
        find(competition, "more")


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("data.extra_train_data.0.images=nowhere", r"data\.extra_train_data\.0\.images: there is no folder .*nowhere"),
        (
            "data.extra_train_data.0.masks=nowhere",
            r"data\.extra_train_data\.0\.masks: there is no folder, CSV or JSON file",
        ),
        ("data.external_negatives=nowhere", r"data\.external_negatives: there is no folder .*nowhere"),
    ],
)
def test_missing_extra_data_are_reported_with_their_key(
    competition: Workspace, write_experiment: WriteExperiment, override: str, key: str
) -> None:
    write_experiment(competition, "more", EXTRA)
    with pytest.raises(MissingFileError, match=key):
        find(competition, "more", override)


def test_a_broken_extra_image_is_reported(competition: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(competition, "more", EXTRA)
    path: Path = competition.root / "data" / "negatives" / "003.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"1 of 3 images in .*negatives cannot be used"):
        find(competition, "more")


def test_images_have_the_channels_of_the_shape(competition: Workspace, write_experiment: WriteExperiment) -> None:
    write_experiment(competition, "grey", EXTRA + "shape: [32, 32, 1]\n")
    dataset = find(competition, "grey")
    pool = dataset.pool(np.arange(20) % 2)
    assert {sample.image().shape[2] for sample in pool.samples} == {1}
    assert dataset.test is not None
    assert dataset.test.read("020").shape == (40, 48, 1)


def test_the_digest_covers_the_classes_of_extra_masks(
    competition: Workspace, write_experiment: WriteExperiment
) -> None:
    data = competition.root / "data"
    (data / "labels").mkdir()
    for path in (data / "negatives").iterdir():
        cv2.imwrite(str(data / "labels" / path.name), np.pad(np.full((9, 9), 7, np.uint8), ((0, 21), (0, 11))))
    found = set()
    for name, values in (("one", "[7]"), ("two", "[0]"), ("three", "[0, 7]")):
        extra = f"{{images: ../../data/negatives, masks: ../../data/labels, mask_values: [{values}]}}"
        write_experiment(competition, name, f"data: {{extra_train_data: [{extra}]}}\n")
        found.add(find(competition, name).digests["extra_data"])
    assert len(found) == 3


def test_the_digest_of_backgrounds_does_not_depend_on_where_they_are(
    tiny_competition: Workspace, write_experiment: WriteExperiment
) -> None:
    write_experiment(
        tiny_competition, "replaced", "augmentation: [{BackgroundReplacer: {path: x}}, {HorizontalFlip: 1}]\n"
    )
    found = set()
    for names in (("a", "b"), ("b", "a")):
        for name, content in zip(names, ("first", "second"), strict=True):
            folder = tiny_competition.root / "".join(names) / name
            folder.mkdir(parents=True)
            (folder / "picture.png").write_text(content)
        places = [
            f"{{BackgroundReplacer: {{path: {tiny_competition.root}/{''.join(names)}/{name}}}}}" for name in names
        ]
        overrides = [f"augmentation=[{', '.join(places)}]"]
        config = load_config(tiny_competition.find("replaced").config, overrides).config
        found.add(background_digest(config))
    assert len(found) == 1
