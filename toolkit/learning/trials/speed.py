"""The speed of an experiment on this machine: some steps, validations and predictions as training would run them."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any

from toolkit.config.models import Config
from toolkit.config.stage_values import Stage
from toolkit.config.training.execution import EngineName
from toolkit.core.randomness import derived_seed
from toolkit.core.trials.planned_hours import Speed, StageSpeed, StageWork
from toolkit.files.data.sources import Images
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.disk.changes import make_folder
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.predictions.store import engines_of
from toolkit.learning.predicting.engine_choice import engine_by_auto
from toolkit.learning.predicting.fold_mean import FoldMean
from toolkit.learning.reading.worker_count import worker_count
from toolkit.learning.runtime import Precision, configure, has_gpu, steps_between_reads
from toolkit.learning.training.epoch_data import Run, TrainingData, prepare_training_data
from toolkit.learning.training.kept_weights import Candidates
from toolkit.learning.training.plan import Plan
from toolkit.learning.training.resuming import Resumable
from toolkit.learning.training.shared_network import CompiledStage, SharedNetwork
from toolkit.learning.training.step import StepSettings
from toolkit.learning.training.validation import Validation, validated_positions, validated_tiles
from toolkit.learning.trials.lr_range_test import endless_batches
from toolkit.messages import Progress, SilentTask

_TRAINING, _VALIDATING, _PREDICTING = 12.0, 4.0, 6.0
"""About how many seconds are measured, after compiling."""

_FEWEST_STEPS, _LEAD = 8, 3
"""Steps that are measured at the least, and those before them, whose batches were read while the step was compiled."""

_MOST_IMAGES = 400


@dataclass(frozen=True)
class Measured:
    """The speed of training and predicting, what it was measured with, and the seconds that measuring took."""

    speed: Speed
    engine: EngineName
    seconds: float


@dataclass(frozen=True, eq=False)
class Trial:
    """What is measured: an experiment, how it trains, its images, and the precision of the arithmetic.

    `start` are the seconds that preparing has taken until now; `scratch` is an empty folder for weights.
    """

    experiment: Experiment
    plan: Plan
    pool: Pool
    images: Images
    precision: Precision
    start: float
    scratch: Path


def work_of_stages(trial: Trial, progress: Progress) -> tuple[StageWork, ...]:
    """What each stage trains and validates, as means over the folds and over the first and the last epoch."""
    config, data = trial.plan.config, TrainingData(trial.experiment, trial.plan, trial.pool)
    if config.crops is not None or config.patches is not None:
        data = prepare_training_data(trial.experiment, trial.plan, trial.pool, progress)
    runs = [Run(fold, 0, config.seed) for fold in range(config.folds_count)]
    found = []
    for stage in trial.plan.stages:
        drawn = [len(data.draw(stage, run, epoch)) for run in runs for epoch in {0, stage.epochs - 1}]
        tiles = [len(validated_tiles(stage, data, validated_positions(stage, data, run))) for run in runs]
        images, each = statistics.fmean(drawn), statistics.fmean(tiles)
        found.append(StageWork(stage.epochs, images, each, stage.validate_every))
    return tuple(found)


def measure(trial: Trial, progress: Progress) -> Measured:
    """Train, validate and predict for up to about a minute, from random or pretrained weights that are not kept.

    A step reads, augments and trains as in `tk fit`; predictions use the engine that `tk fit` would choose.

    Raises:
        TrainingError, DataError, NetworkError, WeightsError: as training would.
    """
    began = time.perf_counter()
    config, plan = trial.plan.config, trial.plan
    configure(trial.precision)
    data = prepare_training_data(trial.experiment, plan, trial.pool, progress)
    start = trial.start + time.perf_counter() - began
    weights = trial.scratch / "speed.weights.h5"
    with data.read_by_processes(worker_count(config.workers, has_gpu=has_gpu()), progress) as data:
        shared, run = SharedNetwork(config, plan.plugins), Run(0, 0, config.seed)
        shared.begin_fold(0, config.seed)
        fold = _seconds(lambda: shared.begin_fold(0, config.seed))
        known: dict[str, StageSpeed] = {}
        stages = []
        for stage in plan.stages:
            of_step = stage.shape, stage.batch, stage.loss, stage.optimizer.name, stage.frozen
            key = repr((of_step, stage.augmentation, stage.mixing, stage.class_weights))
            if key not in known:
                title = f"{trial.experiment.name}: measuring stage {stage.number}"
                with progress.task(title, 3) as task:
                    known[key] = _StageTrial(shared, data, stage, run, trial.scratch).measured(task.advance)
            stages.append(known[key])
        shared.network.save_weights(weights)
    with progress.task(f"{trial.experiment.name}: measuring predictions", 1) as task:
        building, loading, tile, engine = _predictions(trial, weights)
        task.advance()
    speed = Speed(start, fold, tuple(stages), building, loading, tile)
    return Measured(speed, engine, time.perf_counter() - began)


def engine_for(experiment: Experiment, config: Config, pool: Pool) -> EngineName:
    """The engine that `tk fit` would predict with, if it agrees with TensorFlow."""
    wanted = experiment.engine or config.engine
    if wanted != "auto":
        return wanted
    height, width, _ = config.prediction_shape
    pixels = int((pool.folds >= 0).sum()) * height * width // config.folds_count
    return engine_by_auto(engines_of(experiment.predictions("oof")), pixels)[0]


class _StageTrial:
    """Some steps and validations of one stage."""

    def __init__(self, shared: SharedNetwork, data: TrainingData, stage: Stage, run: Run, scratch: Path) -> None:
        self._shared, self._data, self._stage, self._run = shared, data, stage, run
        self._folder = StageFolder(scratch / f"stage{stage.number}")

    def measured(self, advance: Callable[[], object]) -> StageSpeed:
        """The speed of the stage; `advance` is called after each of three parts."""
        began = time.perf_counter()
        compiled = self._shared.begin_stage(self._stage, self._data.class_weights(self._stage, self._run.fold))
        building = time.perf_counter() - began
        compiling, image, doubt = self._steps(compiled)
        advance()
        first, validated = self._validation(compiled)
        advance()
        epoch = _seconds(lambda: self._write(compiled))
        advance()
        return StageSpeed(building + compiling + first, image, validated, epoch, doubt)

    def _steps(self, compiled: CompiledStage) -> tuple[float, float, float]:
        """The seconds of the first call beyond those of another, of an image, and the relative doubt."""
        stage, step = self._stage, compiled.step
        batches = endless_batches(self._data, stage, self._run)
        marks, images = [time.perf_counter()], list[int]()
        for number in count():
            inputs = _of_one_size(list(islice(batches, step.steps_per_call)))
            # Without a learning rate the weights stay as they are, and the loss cannot diverge.
            seeds = [derived_seed("dropout of plan", number, place) for place in range(len(inputs))]
            taken = step(inputs, [StepSettings(0.0, one, 0.0) for one in seeds])
            images.append(sum(len(pixels) for pixels, _ in inputs))
            is_last = len(images) > _LEAD + _FEWEST_STEPS and time.perf_counter() - marks[1 + _LEAD] > _TRAINING
            if is_last or number <= _LEAD or not number % steps_between_reads():
                taken.losses.numpy()  # waits until the step is done
            marks.append(time.perf_counter())
            if is_last:
                break
        took = [after - before for before, after in pairwise(marks)]
        image = sum(took[_LEAD + 1 :]) / sum(images[_LEAD + 1 :])
        halves = _halves(took[_LEAD + 1 :], images[_LEAD + 1 :])
        return max(0.0, took[0] - image * images[0]), image, abs(halves[0] - halves[1]) / image

    def _validation(self, compiled: CompiledStage) -> tuple[float, float]:
        """The seconds of the first validation beyond those of its images, and of one image or tile."""
        predictor, loss = self._shared.predictor, compiled.validation_loss

        def validate(at_most: int) -> tuple[float, int]:
            found = Validation(predictor, loss, self._stage, self._data, self._run, at_most=at_most)
            return _seconds(lambda: found.run("measuring", SilentTask(), False)), len(found)

        few = self._stage.batch
        first, _ = validate(few)
        took, tiles = validate(few)
        several = max(few, min(_MOST_IMAGES, int(few * _VALIDATING / max(took, 1e-3))))
        if several > few:
            took, tiles = validate(several)
        each = took / tiles
        return max(0.0, first - took * min(1.0, few / several)), each

    def _write(self, compiled: CompiledStage) -> None:
        """Write what an epoch writes."""
        network, is_better = self._shared.network, self._data.plan.is_better
        candidates = Candidates(self._stage, self._folder, network, compiled.step.average, is_better)
        callbacks = self._data.plan.callbacks(self._stage)
        make_folder(self._folder.last.parent)
        network.save_weights(self._folder.best_weights)
        Resumable(self._folder.last, network, compiled.step, candidates, callbacks).save([], [], "")


def _predictions(trial: Trial, weights: Path) -> tuple[float, float, float, EngineName]:
    """Seconds of building and compiling, of a file of weights, and of one tile; and the engine that predicted."""
    config, ids = trial.plan.config, trial.images.ids
    engine = engine_for(trial.experiment, config, trial.pool)
    began = time.perf_counter()
    networks = FoldMean(trial.experiment, config, trial.precision, trial.plan.plugins, ["none"])
    building = time.perf_counter() - began
    comparing = 0.0
    if engine == "openvino":
        began = time.perf_counter()
        if networks.agreement(weights, trial.images, ids).failure:
            engine = "tensorflow"
        comparing = time.perf_counter() - began

    def predict(some: Sequence[str]) -> float:
        def run() -> None:
            for _ in networks.rows([weights], trial.images, some, SilentTask(), engine=engine):
                pass

        return _seconds(run)

    few = ids[:4]
    first, again = predict(few), predict(few)
    several = ids[: max(len(few) + 4, min(_MOST_IMAGES, int(len(few) * _PREDICTING / max(again, 1e-3))))]
    took = predict(several)
    tiles, of_few = networks.count(trial.images, several), networks.count(trial.images, few)
    tile = max(took - again, 0.1 * took) / (tiles - of_few) if tiles > of_few else took / max(1, tiles)
    loading = max(0.0, again - of_few * tile)
    return building + max(0.0, first - again), loading + comparing, tile, engine


def _halves(took: Sequence[float], images: Sequence[int]) -> tuple[float, float]:
    """Seconds of an image in the first and in the second half of the steps."""
    middle = len(took) // 2
    return sum(took[:middle]) / sum(images[:middle]), sum(took[middle:]) / sum(images[middle:])


def _of_one_size(batches: list[Any]) -> list[Any]:
    """The first batches up to one of another size, which another call computes."""
    size = len(batches[0][0])
    return [
        one for number, one in enumerate(batches) if all(len(before[0]) == size for before in batches[: number + 1])
    ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
