"""`tk submit --oof`: write the out-of-fold masks as a submission, so that anybody can check their score."""

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.scoring.scores import Scoring, score_stores
from toolkit.commands.session import Session
from toolkit.commands.submitting.masks import chosen_classes, encode_masks
from toolkit.commands.submitting.submit import SubmitOptions, check_options, file_name, maker_of, recipe_of, tuned_of
from toolkit.config.data.competitions import PRESETS, Competition, find_competition
from toolkit.config.data.data import DataConfig
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.core.recipe.postprocess import describe
from toolkit.errors import ConfigError
from toolkit.files.datasets.truth import Truth, truth_of
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.resolved import data_of, read_resolved
from toolkit.files.experiment.trained import read_predicted_folds, tell_untrained
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.files.submissions.layout import default_layout, write_submission
from toolkit.messages import Table, score_text
from toolkit.report.result import Result


@dataclass(frozen=True)
class OofSubmission(Result):
    """The file of out-of-fold masks, and their score; None if the metric skips every image.

    `check` is the command that scores the file; None if no command would give this score.
    """

    experiment: str
    path: str
    images: int
    recipe_text: str
    metric: str
    score: float | None
    check: str | None

    def tables(self) -> list[Table]:
        """The score."""
        row = (self.path, str(self.images), score_text(self.score))
        return [
            Table(f"{self.experiment}: out-of-fold masks, {self.recipe_text}", ("file", "images", self.metric), [row])
        ]

    def next_steps(self) -> list[str]:
        """The command that scores the file."""
        if self.check is None:
            return ["tk score can check this file if the true masks are in a table of the competition: --solution FILE"]
        return [f"the same score from the file alone: {self.check}"]


def submit_oof(session: Session, name: str | None = None, *, options: SubmitOptions) -> OofSubmission:
    """Write submissions/NAME-oof.csv from the out-of-fold predictions of an experiment or ensemble.

    The format is that of the competition; the images are those that a fold has held out. The recipe is the tuned one,
    or that of `options`. Nothing is logged or uploaded.

    Raises:
        ConfigError: an upload is asked for.
        NotReadyError: there are no out-of-fold predictions, or neither a threshold nor a tuned recipe.
        SubmissionError: the experiment does not predict the classes of the competition.
    """
    if options.upload is not None:
        raise ConfigError(
            "--oof writes no test masks, so there is nothing to upload", "Leave out either --oof or --upload."
        )
    workspace, progress = session.workspace, session.progress
    experiment = workspace.find_or_last(name, progress)
    path = workspace.submissions / f"{file_name(options.file_name or f'{experiment.name}-oof')}.csv"
    resolved = read_resolved(experiment)
    tell_untrained(experiment, resolved.config, progress, "score")
    data, truth = data_of(experiment, resolved), truth_of(experiment, resolved)
    table = read_predicted_folds(experiment, truth.labelled.images.ids).out_of_fold
    store = ProbabilityStore(experiment.predictions("oof"))
    check_options(options)
    tuned = tuned_of(experiment, truth.classes, progress) if options.threshold is None else None
    recipe = recipe_of(None if tuned is None else tuned.for_predictions(of_mean=False), options, truth.classes)
    chosen = chosen_classes(experiment.name, truth.classes, truth.rules, data.table_format, progress)
    maker = maker_of(experiment, truth.classes, recipe, chosen, progress)
    encoded = encode_masks(store, maker, progress)
    write_submission(path, default_layout(store.ids, data.table_format), encoded.runs)
    scoring = Scoring([truth.metric], recipe, truth.rules, maker.plugins)
    (scores,) = score_stores([store], truth.only(table.ids).labelled, table.folds, scoring, progress)
    return OofSubmission(
        experiment.name,
        str(path),
        len(store.ids),
        describe(recipe, truth.classes.names, truth.classes.activation),
        scores.metric,
        None if math.isnan(scores.all) else scores.all,
        _check(path, data, truth),
    )


def _check(path: Path, data: DataConfig, truth: Truth) -> str | None:
    """The command that scores the file against the table of labels; None if that would be another score.

    That is so if the masks are not in a table, and for metrics from plugins. Without a competition, the background of
    exclusive classes is scored too, which no submission has.
    """
    competition, metric = data.competition, truth.metric
    if not isinstance(data.masks, Path) or data.masks.suffix != ".csv" or metric.is_plugin:
        return None
    if competition is None and truth.classes.activation == "softmax":
        return None
    words = ["tk", "score", str(path), "--solution", str(data.masks)]
    words += [] if competition is None else ["--competition", _named(competition, path)]
    words += [] if competition is not None and competition.metric_spec == metric else ["--metric", metric.label]
    if (competition is None or competition.output_size is None) and isinstance(data.images, Path):
        words += ["--images", str(data.images)]
    return shlex.join(words)


def _named(competition: Competition, path: Path) -> str:
    """The name of a preset, or the path of a file with the competition, which is written beside the submission."""
    preset = next((name for name in PRESETS if find_competition(name) == competition), None)
    if preset is not None:
        return preset
    file = path.with_suffix(".yaml")
    write_text(file, write_yaml(competition.model_dump(exclude_defaults=True)))
    return str(file)
