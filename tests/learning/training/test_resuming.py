from pathlib import Path

import h5py
import numpy as np
import pytest

from toolkit.errors import StorageError
from toolkit.files.disk.writing import write_text
from toolkit.learning.runtime import tf
from toolkit.learning.training.resuming import Checkpoint, assign, read_checkpoint, write_checkpoint

pytestmark = pytest.mark.tf

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "weights": [RANDOM.normal(size=shape).astype(np.float32) for shape in ((3, 3, 4, 8), (8,), ())] * 5,
    "optimizer": [np.array(2**40 + 1, np.int64), np.array([np.nan, np.inf, -0.0], np.float32)],
    "nothing": [],
}
STATE = {"epochs_done": 3, "callbacks": [{"best": None, "wait": 2}, {"rate": 1e-17}], "stopped": "„enough“"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "last" / "checkpoint.h5"
    write_checkpoint(path, Checkpoint(ARRAYS, STATE))
    return path


def test_a_checkpoint_is_read_back_bit_for_bit(path: Path) -> None:
    found = read_checkpoint(path)
    assert found.state == STATE
    assert set(found.arrays) == set(ARRAYS)
    for name, arrays in ARRAYS.items():
        assert len(found.arrays[name]) == len(arrays)
        for ours, theirs in zip(arrays, found.arrays[name], strict=True):
            assert np.shape(theirs) == ours.shape
            assert np.asarray(theirs).dtype == ours.dtype
            assert np.asarray(theirs).tobytes() == ours.tobytes()


def test_many_values_keep_their_order(tmp_path: Path) -> None:
    many = [np.array(number) for number in range(1200)]
    write_checkpoint(tmp_path / "a.h5", Checkpoint({"weights": many}, {}))
    assert [int(value) for value in read_checkpoint(tmp_path / "a.h5").arrays["weights"]] == list(range(1200))


def test_a_checkpoint_replaces_the_one_before_whole_or_not_at_all(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_checkpoint(path, Checkpoint(ARRAYS, {"epochs_done": object()}))
    assert path.read_bytes() == before
    write_checkpoint(path, Checkpoint({}, {"epochs_done": 4}))
    assert read_checkpoint(path).state == {"epochs_done": 4}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_file_is_damaged(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(StorageError, match=f"{path} is damaged") as told:
        read_checkpoint(path)
    assert told.value.advice == f"Delete {path}; the stage then starts from the beginning."


def test_a_file_that_is_not_a_checkpoint_is_damaged(path: Path, tmp_path: Path) -> None:
    write_text(tmp_path / "a.h5", "not HDF5")
    write_checkpoint(tmp_path / "b.h5", Checkpoint({}, {}))
    with h5py.File(tmp_path / "b.h5", "a") as file:
        del file["state"]
    for name in ("a.h5", "b.h5", "gone.h5"):
        with pytest.raises(StorageError, match="is damaged"):
            read_checkpoint(tmp_path / name)


def test_variables_get_their_values_back(path: Path) -> None:
    variables = [tf.Variable(tf.zeros((2, 3))), tf.Variable(0, dtype=tf.int64)]
    values = [np.arange(6, dtype=np.float32).reshape(2, 3), np.int64(7)]
    assign(variables, values, path)
    assert variables[0].numpy().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert variables[1].numpy() == 7


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([np.zeros((2, 3))], "1 values, expected 2"),
        ([np.zeros((3, 2)), np.zeros(())], r"a value of shape \(3, 2\), expected \(2, 3\)"),
        ([np.zeros((2, 3)), np.zeros(1)], r"a value of shape \(1,\), expected \(\)"),
    ],
)
def test_values_that_do_not_fit_the_variables_are_an_error(path: Path, values: list[np.ndarray], words: str) -> None:
    variables = [tf.Variable(tf.zeros((2, 3))), tf.Variable(0.0)]
    with pytest.raises(StorageError, match=f"{path} is damaged: {words}"):
        assign(variables, values, path)
