"""The result of `tk export`: the file, and how close it is to the toolkit."""

from dataclasses import dataclass

from toolkit.core.recipe.closeness import Limits
from toolkit.errors import counted
from toolkit.messages import Table, score_text
from toolkit.report.result import Result


@dataclass(frozen=True)
class ExportResult(Result):
    """What `tk export` has written, and what its runtime computed on images of the experiment.

    Attributes:
        experiment: what was exported.
        format: the name of the format.
        title: its name for people.
        file: the file or folder that programs load.
        description: the JSON file beside it.
        bytes: the size of the file, or of all files of the format.
        networks: how many networks are inside.
        weights: `float32` or `float16`.
        input: the shape of the input, in words.
        images: how many images were compared.
        unseen: whether no network inside was trained on these.
        largest: the largest difference of a probability from the toolkit's.
        changed: the share of pixels whose mask changes at the thresholds of the recipe, 0–1.
        limits: how large these may be.
        recipe: the recipe, in words.
        metric: the metric of the scores.
        toolkit_score, file_score: of the toolkit's predictions and of those of the file; None if there is none.
    """

    experiment: str
    format: str
    title: str
    file: str
    description: str
    bytes: int
    networks: int
    weights: str
    input: str
    images: int
    unseen: bool
    largest: float
    changed: float
    limits: Limits
    recipe: str
    metric: str
    toolkit_score: float | None
    file_score: float | None

    def tables(self) -> list[Table]:
        """What is inside, and how close it is."""
        held_out = "held out" if self.unseen else "of the training set: some of the networks have seen them"
        rows = [
            ("size", f"{self.bytes / 1e6:.1f} MB, weights in {self.weights}"),
            ("inside", counted(self.networks, "network") + (", their mean" if self.networks > 1 else "")),
            ("input", self.input),
            ("compared on", f"{counted(self.images, 'image')} {held_out}"),
            ("largest difference", f"{self.largest:.6f} (at most {self.limits.largest:g})"),
            ("pixels that change side", f"{100 * self.changed:.4f} % (at most {100 * self.limits.changed:g} %)"),
            (f"{self.metric}, toolkit", score_text(self.toolkit_score)),
            (f"{self.metric}, {self.title}", score_text(self.file_score)),
        ]
        return [Table(f"{self.experiment} as {self.title}: {self.file}", ("", ""), rows)]

    def next_steps(self) -> list[str]:
        """The recipe, the description, and how the file is used."""
        return [
            f"recipe, which is not inside: {self.recipe}",
            f"what it takes and gives: {self.description}",
            f"next: load it as in docs/exporting.md#{self.title.lower()}",
        ]
