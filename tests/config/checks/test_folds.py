from pathlib import Path

import pytest

from toolkit.config.loading import load_config
from toolkit.errors import ConfigError

CONFIG = "data: {images: images, masks: masks}\nfolds_count: 3\nstages: [{epochs: 1}]\n"


def refused(folder: Path, lines: str) -> str:
    path = folder / "config.yaml"
    kept = [line for line in CONFIG.splitlines() if line.partition(":")[0] not in lines]
    path.write_text("\n".join([*kept, lines]))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return caught.value.message


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("folds_count: 1\n", "folds_count: folds_count: 1 requires validationSplit"),
        ("validationSplit: 0.2\n", "validationSplit: requires folds_count: 1, received folds_count: 3"),
        ("testSplitSeed: 3\n", "testSplitSeed: requires testSplit"),
        ("folds: x.csv\ntestSplit: 0.1\n", "testSplit: the folds file already defines the folds; remove testSplit"),
        ("folds: x.csv\nstratified: depth\n", "stratified: the folds file already defines the folds"),
    ],
)
def test_contradictory_keys_are_rejected(tmp_path: Path, lines: str, problem: str) -> None:
    assert problem in refused(tmp_path, lines)


def test_a_column_requires_a_table(tmp_path: Path) -> None:
    found = refused(tmp_path, "groups: patient\nstratified: [depth]\n")
    for key, column in (("groups", "patient"), ("stratified", "depth")):
        assert f"{key}: the column {column!r} requires data.metadata, which is not set" in found
