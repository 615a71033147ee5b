from pathlib import Path

import numpy as np
import pytest

from toolkit.core.images import chunks
from toolkit.errors import StorageError
from toolkit.files.predictions.spilled_map import SpilledMap


def test_rows_are_read_back_and_no_file_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_ENTRIES", 30)
    whole = np.random.default_rng(0).random((11, 5, 2), np.float32)
    spilled = SpilledMap(tmp_path, whole.shape)
    for start in range(0, 11, 4):
        spilled.append(whole[start : start + 4])
    for _ in range(2):
        assert np.array_equal(np.concatenate(list(spilled.chunks())), whole)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="none"):
        SpilledMap(tmp_path / "none", (1, 1, 1))
