import math
from pathlib import Path

from toolkit.files.experiment.folder import StageFolder
from toolkit.files.experiment.history import NOT_VALIDATED, Epoch, best_epoch, read_history, with_labels, write_history


def test_history_reads_back_as_written(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    history = [
        Epoch(k, 1e-3 / (k + 1), 0.1 * k, 0.2 * k, {"miou": 1 / (k + 3), "miou[a, b]": 0.5}, 7, 1.25, {"miou": 0.75})
        for k in range(3)
    ]
    write_history(folder, history)
    assert read_history(folder) == history


def test_columns_have_the_names_of_classes_and_tell_training_from_validation(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    write_history(folder, [Epoch(0, 1e-3, 0.1, 0.2, {"miou": 0.5, "miou[road]": 0.25}, 7, 1.25, {"miou": 0.75})])
    header, row = folder.history.read_text().splitlines()
    assert header == "epoch,lr,loss,val_loss,miou,miou[road],train_miou,images,seconds,memory"
    assert row == "0,0.001,0.1,0.2,0.5,0.25,0.75,7,1.25,0"


def test_the_history_of_an_earlier_version_is_read_and_continued(tmp_path: Path) -> None:
    """It had only the configured metrics, and the number of a class."""
    folder = StageFolder(tmp_path)
    folder.history.write_text("epoch,lr,loss,val_loss,miou[1],miou,images,seconds\n0,0.001,0.1,0.2,0.5,0.25,7,1.25\n")
    (old,) = read_history(folder)
    assert old == Epoch(0, 1e-3, 0.1, 0.2, {"miou[1]": 0.5, "miou": 0.25}, 7, 1.25)
    renamed = with_labels(old, ["miou[road]", "miou"])
    assert renamed.scores == {"miou[road]": 0.5, "miou": 0.25}
    later = Epoch(1, 1e-3, 0.1, 0.2, {"miou[road]": 0.5, "miou": 0.25, "miou[sky]": 0.1}, 7, 1.25, {"miou": 0.75})
    write_history(folder, [renamed, later])
    first, second = read_history(folder)
    assert second == later
    assert first.primary == 0.5
    assert math.isnan(first.scores["miou[sky]"])
    assert math.isnan(first.training["miou"])


def test_an_epoch_that_was_not_validated_has_empty_cells_and_is_never_the_best(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    trained = [Epoch(k, 1e-3, 0.1, *NOT_VALIDATED, 7, 1.25, {"miou": 0.75}) for k in range(3)]
    write_history(folder, trained[:1])
    assert read_history(folder) == trained[:1]
    history = [trained[0], Epoch(1, 1e-3, 0.1, 0.2, {"miou": 0.5}, 7, 1.25, {"miou": 0.75}), trained[2]]
    write_history(folder, history)
    assert folder.history.read_text().splitlines()[3] == "2,0.001,0.1,,,0.75,7,1.25,0"
    assert read_history(folder) == history
    assert trained[0].values() == {"loss": 0.1, "train_miou": 0.75}
    assert best_epoch(history, lambda score, other: score < other).number == 1
    assert with_labels(trained[0], ["iou"]) == trained[0]


def test_a_stage_that_has_not_begun_has_no_history(tmp_path: Path) -> None:
    assert read_history(StageFolder(tmp_path)) == []


def test_a_missing_score_stays_missing(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    write_history(folder, [Epoch(0, 1e-3, 0.1, 0.2, {"dice(empty=skip)": math.nan, "iou": 0.5}, 7, 1.25)])
    (epoch,) = read_history(folder)
    assert math.isnan(epoch.primary)
    assert epoch.values() == {"loss": 0.1, "val_loss": 0.2, "dice(empty=skip)": epoch.primary, "iou": 0.5}


def test_of_equal_scores_the_lower_validation_loss_is_best() -> None:
    def epoch(number: int, score: float, loss: float) -> Epoch:
        return Epoch(number, 1e-3, 0.1, loss, {"dice": score}, 7, 1.25)

    def best(*epochs: Epoch) -> int:
        return best_epoch(epochs, lambda score, other: score > other).number

    assert best(epoch(0, 0, 0.46), epoch(1, 0, 0.29), epoch(2, 0, 0.3)) == 1
    assert best(epoch(0, 0.5, 0.46), epoch(1, 0.4, 0.1)) == 0
    assert best(epoch(0, 0.5, 0.3), epoch(1, 0.5, 0.3)) == 0
    assert best(epoch(0, math.nan, 0.3), epoch(1, math.nan, 0.2), epoch(2, math.nan, math.nan)) == 1


def test_an_epoch_with_scores_is_validated_whatever_its_loss(tmp_path: Path) -> None:
    folder = StageFolder(tmp_path)
    epoch = Epoch(0, 1e-3, 0.1, math.nan, {"dice": 0.5}, 7, 1.25)
    write_history(folder, [epoch])
    (read,) = read_history(folder)
    assert read.is_validated
    assert read.values()["dice"] == 0.5
