"""The work and the speed of one experiment, and how far its recorded epochs agree with them."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.commands.session import Session
from toolkit.commands.training.folds.fold_plan import find_folds
from toolkit.commands.training.planning.measurements import Machine, Measurements, Remembered
from toolkit.commands.training.pseudo_labels import find_pseudo_labels
from toolkit.commands.training.settings import load_as_run
from toolkit.commands.training.units.training_job import TrainingJob
from toolkit.config.models import Config
from toolkit.core.trials.planned_hours import Planned, Speed, StageWork, Work
from toolkit.files.datasets.dataset import Dataset, find_dataset
from toolkit.files.disk.changes import attempt
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.resolved import digests_of_code, read_resolved

if TYPE_CHECKING:  # they import TensorFlow
    from toolkit.learning.runtime import Precision
    from toolkit.learning.training.plan import Plan


@dataclass(frozen=True)
class ExperimentPlan:
    """An experiment with its work and speed.

    `remembered` has the speed, the machine and the engine; `is_new` says whether it was measured just now.
    `recorded` is the number of trained epochs that `planned.recorded` rests on. `importing` are the seconds of
    importing TensorFlow.
    """

    experiment: Experiment
    config: Config
    planned: Planned
    remembered: Remembered
    is_new: bool
    recorded: int
    importing: float


def plan_experiment(
    session: Session,
    experiment: Experiment,
    overrides: Sequence[str] = (),
    *,
    again: bool = False,
    device: str | None = None,
    importing: float = 0.0,
) -> ExperimentPlan:
    """Count the work of an experiment, and measure its speed unless that was done before.

    Args:
        session: the folder of all experiments, and what shows progress.
        experiment: to plan; nothing in its folder changes.
        overrides: keys of its configuration.
        again: whether to measure although a speed is known.
        device: a part of the name of another device whose remembered speed counts; None for this machine.
        importing: the seconds of importing TensorFlow, if this process did it for another experiment.

    Raises:
        ConfigError: nothing is known of the speed on that device.
        ToolkitError: the configuration or the data are not valid.
    """
    started, progress = time.perf_counter(), session.progress
    loaded = load_as_run(session, experiment, overrides)
    config = loaded.config
    with experiment.locked():
        with loaded.naming_places():
            dataset = find_dataset(config, progress, experiment.cache)
        table = find_folds(experiment, config, dataset, progress)
        pseudo = find_pseudo_labels(experiment, loaded, dataset, table.folds, progress)
        job = TrainingJob(experiment, loaded, dataset, table, pseudo=pseudo)
        before = time.perf_counter()
        # TensorFlow is slow to import, so bad input is reported first.
        from toolkit.learning.plugins import Plugins
        from toolkit.learning.runtime import device_name
        from toolkit.learning.training.plan import plan_training
        from toolkit.learning.trials.speed import Trial, engine_for, work_of_stages

        here = time.perf_counter() - before
        importing = max(importing, here)
        plan = plan_training(loaded, Plugins.of(experiment, progress))
        precision = _precision(experiment, config)
        machine = Machine.here(device_name(), precision)
        pool = job.pool()
        engine = engine_for(experiment, config, pool)
        digests = {key: value for key, value in dataset.digests.items() if key not in ("test_data", "dataset")}
        digests |= digests_of_code(experiment, config) | {"pseudo_labels": pseudo.digest}
        measurements = Measurements(experiment.cache, config, digests, machine, engine)
        remembered, is_new = None if again else measurements.known(), False
        if device is not None:
            remembered = measurements.elsewhere(device)
        start = time.perf_counter() - started - here + importing
        make_folder = partial(tempfile.TemporaryDirectory, prefix="tk-plan-")
        with attempt("write to", Path(tempfile.gettempdir()), make_folder) as scratch:
            trial = Trial(experiment, plan, pool, dataset.labelled.images, precision, start, Path(scratch))
            stages = work_of_stages(trial, progress)
            if remembered is None:
                from toolkit.learning.trials.speed import measure

                found = measure(trial, progress)
                progress.say(f"{experiment.name}: measured for {found.seconds:.0f} s on {machine.device}")
                remembered, is_new = Remembered(found.speed, machine, found.engine), True
                measurements.remember(remembered)
    work = _work(config, dataset, table, plan, stages)
    # Epochs were recorded where they were trained, and say nothing about another device.
    ratios = recorded_ratios(experiment, config, stages, remembered.speed) if device is None else []
    recorded = statistics.median(ratios) if ratios else None
    planned = Planned(work, remembered.speed, recorded)
    return ExperimentPlan(experiment, config, planned, remembered, is_new, len(ratios), importing)


def _precision(experiment: Experiment, config: Config) -> "Precision":
    """The precision of what is trained already, or else that of a new training."""
    from toolkit.learning.runtime import choose_precision, parse_precision

    if experiment.resolved.is_file() and experiment.has_training():
        return parse_precision(read_resolved(experiment).precision)
    return choose_precision(config.precision)


def _work(config: Config, dataset: Dataset, table: FoldTable, plan: "Plan", stages: tuple[StageWork, ...]) -> Work:
    from toolkit.learning.reading.sample_reader import tiles_of

    labelled, test = dataset.labelled.images, dataset.test

    def tiles(images: Sequence[str]) -> int:
        return sum(len(tiles_of(plan.reader, labelled, image_id)) for image_id in images)

    of_test = 0 if test is None else sum(len(tiles_of(plan.reader, test, image_id)) for image_id in test.ids)
    return Work(
        config.folds_count,
        config.folds_count,
        config.num_seeds,
        stages,
        tiles(table.out_of_fold.ids),
        of_test + tiles(table.holdout.ids),
    )


def recorded_ratios(experiment: Experiment, config: Config, stages: Sequence[StageWork], speed: Speed) -> list[float]:
    """The recorded seconds of each trained epoch, as multiples of the planned ones.

    The first epoch of each stage is left out: it may hold the time of compiling.
    """
    found = []
    for fold in range(config.folds_count):
        for repeat in range(config.num_seeds):
            for number, (work, took) in enumerate(zip(stages, speed.stages, strict=True)):
                for epoch in read_history(experiment.stage(fold, number, repeat))[1:]:
                    expected = epoch.images * took.image + epoch.is_validated * work.tiles * took.validated
                    found.append(epoch.seconds / expected)
    return found
