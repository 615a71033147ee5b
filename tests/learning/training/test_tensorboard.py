from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from toolkit.config.training.callbacks import parse_callbacks
from toolkit.files.experiment.history import Epoch
from toolkit.learning.runtime import tf
from toolkit.learning.training.tensorboard import EpochLog
from toolkit.learning.training.validation import Example
from toolkit.messages import Silent

pytestmark = pytest.mark.tf


def written(folder: Path) -> dict[str, dict[int, Any]]:
    """Every value in the event files of a folder by tag and step."""
    found: dict[str, dict[int, Any]] = {}
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return found


def epoch(number: int, score: float = 0.5) -> Epoch:
    scores = {"dice": score, "iou[road]": 0.25}
    return Epoch(number, 1e-3 / (number + 1), 0.4 - number / 10, 0.6, scores, 7, 1.0, {"dice": 0.75})


def example(channels: int = 3, classes: int = 1) -> Example:
    """A grey image whose upper half is of the last class, and predicted to be so with probability 0.8."""
    image = np.full((4, 6, channels), 100, np.uint8)
    planes = np.zeros((4, 6, classes), np.uint8)
    planes[:2, :, -1] = 1
    if classes > 1:
        planes[2:, :, 0] = 1
    planes[0, 0] = 255
    probability = np.where(planes == 1, 0.8, 0.2 if classes < 3 else 0.1).astype(np.float32)
    return Example(image, planes, probability)


def test_event_files_hold_losses_learning_rate_and_metrics_of_every_epoch(tmp_path: Path) -> None:
    log = EpochLog(tmp_path / "tensorboard", ())
    assert not (tmp_path / "tensorboard").exists()
    for number in (0, 1):
        assert not log.wants_images(number)
        log.write(epoch(number), [], Silent())
    found = written(tmp_path / "tensorboard")
    losses = {"loss", "val_loss", "learning_rate"}
    assert set(found) == losses | {"validation/dice", "validation/iou[road]", "training/dice"}
    assert [float(found["loss"][step]) for step in (0, 1)] == pytest.approx([0.4, 0.3])
    assert [float(found["learning_rate"][step]) for step in (0, 1)] == pytest.approx([1e-3, 5e-4])
    assert float(found["validation/iou[road]"][1]) == 0.25


def test_a_missing_score_is_written_as_nan(tmp_path: Path) -> None:
    EpochLog(tmp_path, ()).write(epoch(0, float("nan")), [], Silent())
    assert np.isnan(written(tmp_path)["validation/dice"][0])


def test_pictures_show_image_truth_and_prediction_side_by_side(tmp_path: Path) -> None:
    log = EpochLog(tmp_path, parse_callbacks({"TensorBoard": {"images": 2, "every": 2}}))
    assert [log.wants_images(number) for number in range(4)] == [True, False, True, False]
    for number in range(3):
        log.write(epoch(number), [example()] * 5, Silent())
    pictures = written(tmp_path)["image | truth | prediction"]
    assert sorted(pictures) == [0, 2]
    width, height, *encoded = pictures[0].tolist()
    assert (int(width), int(height)) == (18, 4)
    assert len(encoded) == 2
    image, truth, prediction = np.split(tf.io.decode_png(encoded[0]).numpy(), 3, axis=1)
    assert (image == 100).all()
    assert truth[0, 0].tolist() == [0, 0, 0]
    assert (truth[1] == 255).all()
    assert (truth[2:] == 0).all()
    assert (prediction[1] == 204).all()
    assert (prediction[2:] == 51).all()


@pytest.mark.parametrize(("channels", "classes"), [(1, 1), (4, 1), (3, 3), (6, 2)])
def test_pictures_of_any_channels_and_classes(tmp_path: Path, channels: int, classes: int) -> None:
    log = EpochLog(tmp_path, parse_callbacks("TensorBoard"))
    log.write(epoch(0), [example(channels, classes)], Silent())
    (encoded,) = written(tmp_path)["image | truth | prediction"][0].tolist()[2:]
    image, truth, prediction = np.split(tf.io.decode_png(encoded).numpy().astype(int), 3, axis=1)
    assert (image == 100).all()
    assert truth[1, 0, 0] == 255
    assert truth[3, 0, 0] == 0
    assert prediction[1, 0, 0] > prediction[3, 0, 0]


def test_a_log_that_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    class Warnings(Silent):
        said: ClassVar[list[str]] = []

        def warn(self, message: str) -> None:
            self.said.append(message)

    (tmp_path / "tensorboard").write_text("a file in the place of the folder")
    log, progress = EpochLog(tmp_path / "tensorboard", ()), Warnings()
    for number in range(3):
        log.write(epoch(number), [], progress)
    (said,) = progress.said
    assert str(tmp_path / "tensorboard") in said
    assert "training goes on without it" in said
