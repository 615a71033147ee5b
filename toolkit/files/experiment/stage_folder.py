"""The names of all files in the folder of one stage of one fold."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from toolkit.files.disk.writing import read_json, writing_to


@dataclass(frozen=True)
class StageFolder:
    """The folder of one stage of one fold."""

    folder: Path

    @property
    def best_weights(self) -> Path:
        """The weights of the best epoch so far."""
        return self.folder / "best.weights.h5"

    @property
    def history(self) -> Path:
        """Losses and scores of each epoch."""
        return self.folder / "history.csv"

    @property
    def state(self) -> Path:
        """Whether the stage is complete, and its best epoch."""
        return self.folder / "state.json"

    @property
    def last(self) -> Path:
        """The state for resuming: weights, optimizer and epoch."""
        return self.folder / "last" / "checkpoint.h5"

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.folder / "tensorboard"

    @property
    def negative_weights(self) -> Path:
        """How often each negative is drawn, if hard negatives are preferred."""
        return self.folder / "negative_weights.csv"

    def snapshot(self, epoch: int) -> Path:
        """The weights at the end of a cycle of the learning rate."""
        return self.folder / "snapshots" / f"epoch{epoch:04d}.weights.h5"

    def snapshots(self) -> list[Path]:
        """The existing snapshots, in the order of the epochs."""
        return sorted(self.snapshot(0).parent.glob("epoch*.weights.h5"))

    def candidate(self, epoch: int) -> Path:
        """The weights of one of the best epochs, kept until they are averaged."""
        return self.folder / "candidates" / f"epoch{epoch:04d}.weights.h5"

    def candidates(self) -> list[Path]:
        """The existing candidates, in the order of the epochs."""
        return sorted(self.candidate(0).parent.glob("epoch*.weights.h5"))

    def forget_progress(self) -> None:
        """Delete the files that only an incomplete stage needs.

        Raises:
            StorageError: a file cannot be deleted.
        """
        with writing_to(self.folder):
            for folder in (self.last.parent, self.candidate(0).parent):
                if folder.is_dir():
                    shutil.rmtree(folder)

    def is_complete(self) -> bool:
        """Whether all epochs of the stage are done."""
        return self.state.is_file() and self.best_weights.is_file() and bool(read_json(self.state)["complete"])
