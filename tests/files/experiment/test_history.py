import math
from pathlib import Path

from toolkit.files.experiment.folder import StageFolder
from toolkit.files.experiment.history import Epoch, read_history, write_history


def test_history_reads_back_as_written(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    history = [
        Epoch(k, 1e-3 / (k + 1), 0.1 * k, 0.2 * k, {"salt_map": 1 / (k + 3), "dice": 0.5}, 7, 1.25) for k in range(3)
    ]
    write_history(folder, history)
    assert read_history(folder) == history


def test_a_stage_that_has_not_begun_has_no_history(tmp_path: Path) -> None:
    assert read_history(StageFolder(tmp_path)) == []


def test_a_missing_score_stays_missing(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    write_history(folder, [Epoch(0, 1e-3, 0.1, 0.2, {"dice(empty=skip)": math.nan, "iou": 0.5}, 7, 1.25)])
    (epoch,) = read_history(folder)
    assert math.isnan(epoch.primary)
    assert epoch.values() == {"loss": 0.1, "val_loss": 0.2, "dice(empty=skip)": epoch.primary, "iou": 0.5}
