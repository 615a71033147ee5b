import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.config.data.competitions import Competition, find_competition
from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, Classes
from toolkit.core.simulated.ccd import CCD_CLASSES, simulate_ccd
from toolkit.core.simulated.shapes import SHAPE_CLASSES, simulate_shapes
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.images.decoding import read_image
from toolkit.files.simulated import KINDS, SimulatedFiles, Simulation, write_simulation
from toolkit.files.submissions.layout import read_solution, sample_layout
from toolkit.messages import Silent

SIZE = (48, 64)


def made(folder: Path, kind: str, count: int = 6, test_count: int = 3) -> SimulatedFiles:
    write_simulation(folder, Simulation(kind, 5, count, test_count, SIZE), Silent())
    return SimulatedFiles(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_values_give_the_same_files(kind: str, tmp_path: Path) -> None:
    first, second = (contents(made(tmp_path / name, kind).folder) for name in ("first", "second"))
    assert first == second
    assert len(read_ids(tmp_path / "first" / "train" / "images")) == 6
    assert len(read_ids(tmp_path / "first" / "test" / "images")) == 3


def read_ids(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.iterdir())


def test_masks_of_detector_images_are_read_as_they_were_drawn(tmp_path: Path) -> None:
    files = made(tmp_path / "ccd", "ccd")
    classes = Classes(CCD_CLASSES, "softmax", ((0,), (1,), (2,), (3,)))
    data = find_source(SourceKeys(images=files.images, masks=files.masks), classes, 1, "data")
    for index, image_id in enumerate(data.images.ids):
        drawn = simulate_ccd(index, seed=5, size=SIZE)
        assert np.array_equal(data.images.read(image_id)[..., 0], drawn.image)
        assert np.array_equal(data.read_labels(image_id), drawn.labels)
    solution = read_solution(files.solution, find_competition(str(files.competition)))
    drawn = simulate_ccd(6, seed=5, size=SIZE)
    masks = solution.masks("00006", SIZE)
    assert [np.array_equal(masks[..., label - 1], drawn.labels == label) for label in (1, 2, 3)] == [True] * 3


def test_masks_and_rows_of_shapes_are_equal(tmp_path: Path) -> None:
    files = made(tmp_path / "shapes", "shapes", count=12)
    form = find_competition(str(files.competition))
    of_masks = Classes(SHAPE_CLASSES, "softmax", tuple((label,) for label in range(7)))
    masks = find_source(SourceKeys(images=files.images, masks=files.masks), of_masks, 3, "data")
    rows = find_source(
        SourceKeys(images=files.images, masks=files.table),
        Classes(SHAPE_CLASSES, "softmax"),
        3,
        "data",
        competition=form,
    )
    objects_form = Competition.model_validate(
        {
            "name": "objects",
            "metric": "instance_map",
            "rows": "object",
            "columns": ("id", "rle_mask"),
            "unlisted": "empty",
        }
    )
    objects = find_source(
        SourceKeys(images=files.images, masks=files.table), BINARY, 3, "data", competition=objects_form
    )
    for index, image_id in enumerate(masks.images.ids):
        drawn = simulate_shapes(index, seed=5, size=SIZE)
        assert np.array_equal(masks.images.read(image_id), drawn.image)
        assert np.array_equal(masks.read_labels(image_id), drawn.labels)
        assert np.array_equal(rows.read_labels(image_id), drawn.labels)
        assert np.array_equal(objects.read_objects(image_id), drawn.objects)
        instances = cv2.imread(str(files.instances / f"{image_id}.png"), cv2.IMREAD_UNCHANGED)
        assert instances.dtype == np.uint16
        assert np.array_equal(instances, drawn.objects)


@pytest.mark.parametrize("kind", KINDS)
def test_sample_and_solution_are_of_the_test_images(kind: str, tmp_path: Path) -> None:
    files = made(tmp_path / kind, kind)
    form = find_competition("tgs-salt" if kind == "salt" else str(files.competition))
    ids = read_ids(files.test_images)
    assert list(sample_layout(files.sample_submission, form).image_ids) == ids
    assert set(read_solution(files.solution, form).by_image) <= set(ids)


def test_without_test_images_there_is_no_sample(tmp_path: Path) -> None:
    files = made(tmp_path / "salt", "salt", test_count=0)
    assert sorted(path.name for path in files.folder.iterdir()) == ["simulation.json", "train", "train.csv"]


def test_an_existing_simulation_is_kept_and_an_interrupted_one_is_finished(tmp_path: Path) -> None:
    files = made(tmp_path / "shapes", "shapes")
    before = contents(files.folder)
    counted = write_simulation(files.folder, Simulation("shapes", 5, 6, 3, SIZE), Silent())
    assert sum(each.pixels for each in counted) == 9 * 48 * 64
    record = json.loads(files.record.read_text())
    del record["classes"]
    files.record.write_text(json.dumps(record))
    files.solution.unlink()
    (files.images / "00002.png").write_bytes(b"half")
    assert write_simulation(files.folder, Simulation("shapes", 5, 6, 3, SIZE), Silent()) == counted
    assert contents(files.folder) == before


def test_folders_with_other_content_are_refused(tmp_path: Path) -> None:
    files = made(tmp_path / "salt", "salt")
    with pytest.raises(DataError, match="another simulation: its seed is 5, not 6"):
        write_simulation(files.folder, Simulation("salt", 6, 6, 3, SIZE), Silent())
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="something other than a simulation"):
        write_simulation(other, Simulation("salt", 5, 6, 3, SIZE), Silent())
    assert (other / "notes.txt").read_text() == "mine"


def test_colours_are_written_in_their_order(tmp_path: Path) -> None:
    files = made(tmp_path / "shapes", "shapes", count=1)
    assert np.array_equal(read_image(files.images / "00000.png"), simulate_shapes(0, seed=5, size=SIZE).image)
