from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.images.windows import Window
from toolkit.core.masks.labels import BINARY
from toolkit.errors import DataError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import find_negatives
from toolkit.files.datasets.training_pool import Pool, Sample, make_pool
from toolkit.files.inspection.checking import check_training_data
from toolkit.messages import Silent

FOLDS = np.array([1, 0, 2, 1])


@pytest.fixture
def pool(draw: Callable[..., Path], tmp_path: Path) -> Pool:
    """Images `a` to `d` of 6×9 in three folds, `a` empty; as extra images another `a`, and a negative `n`."""
    for folder, ids in (("main", "abcd"), ("more", "a")):
        for image_id in ids:
            draw(f"{folder}/images/{image_id}.png")
            empty = folder == "main" and image_id == "a"
            draw(f"{folder}/masks/{image_id}.png", np.full((6, 9), not empty, np.uint8) * np.eye(6, 9, dtype=np.uint8))
    draw("negatives/n.png")
    main, more = (
        find_source(SourceKeys(images=tmp_path / name / "images", masks=tmp_path / name / "masks"), BINARY, 3, "data")
        for name in ("main", "more")
    )
    extra = [more, find_negatives(tmp_path / "negatives", BINARY, 3, "data.external_negatives")]
    checked = [(data, check_training_data(data, Silent(), extra=True)) for data in extra]
    return make_pool(main, check_training_data(main, Silent()), FOLDS, checked)


def test_samples_of_the_folds_come_first_and_extra_ones_after_them(pool: Pool, tmp_path: Path) -> None:
    assert [sample.image_id for sample in pool.samples] == ["a", "b", "c", "d", "a", "n"]
    assert [Path(sample.source.images.origin).parent.name for sample in pool.samples[:5]] == ["main"] * 4 + ["more"]
    assert pool.folds.tolist() == [1, 0, 2, 1, -1, -1]
    assert pool.coverage.tolist() == pytest.approx([0, 6 / 54, 6 / 54, 6 / 54, 6 / 54, 0])
    assert pool.pixels.tolist() == [[0], [6], [6], [6], [6], [0]]
    assert pool.has_foreground.tolist() == [False, True, True, True, True, False]


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_every_fold_trains_on_extra_samples_and_none_validates_on_them(pool: Pool, fold: int) -> None:
    training, validation = pool.training_positions(fold), pool.validation_positions(fold)
    assert {4, 5} <= set(training)
    assert validation.tolist() == np.flatnonzero(fold == FOLDS).tolist()
    assert sorted([*training, *validation]) == list(range(6))


def test_a_sample_reads_its_own_files(pool: Pool) -> None:
    first, second, negative = pool.samples[0], pool.samples[4], pool.samples[5]
    assert not np.array_equal(first.image(), second.image())
    assert first.labels().sum() == 0
    assert second.labels().sum() == 6
    assert negative.labels().shape == (6, 9)
    assert negative.labels().sum() == 0
    objects = negative.objects()
    assert objects is not None
    assert not objects.any()
    assert second.objects() is None


def test_windows_beyond_the_image_are_mirrored_alike_in_image_and_labels(pool: Pool) -> None:
    whole = pool.samples[1]
    shown = Sample(whole.source, whole.image_id, Window(-2, 6, 5, 6))
    assert shown.size == (5, 6)
    assert shown.image_size == (6, 9)
    padded = np.pad(whole.labels(), 5, mode="symmetric")
    assert np.array_equal(shown.labels(), padded[3:8, 11:17])
    coloured = np.pad(whole.image(), ((5, 5), (5, 5), (0, 0)), mode="symmetric")
    assert np.array_equal(shown.image(), coloured[3:8, 11:17])
    assert shown.title == "b (rows from -2, columns from 6)"


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_sample_whose_files_have_changed_since_the_check_is_refused(kind: str, pool: Pool, tmp_path: Path) -> None:
    for sample in pool.samples:
        sample.refuse_changed()
    path = tmp_path / "main" / kind / "b.png"
    path.write_bytes((tmp_path / "main" / kind / "a.png").read_bytes() + b" ")
    with pytest.raises(DataError, match="b: the image or its mask has changed since it was checked"):
        pool.samples[1].refuse_changed()
    path.unlink()
    with pytest.raises(DataError, match=r"b: the image or its mask cannot be read again: .*No such file") as caught:
        pool.samples[1].refuse_changed()
    assert "Run the command again" in caught.value.advice
    Sample(pool.main, "b").refuse_changed()  # was not checked
