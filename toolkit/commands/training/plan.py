"""`tk plan`: what trains and predicts in so many hours, from measured steps."""

import math
from collections.abc import Sequence
from dataclasses import asdict

from toolkit.commands.ensembling.drops import Drops, costs_of, find_chain, weighted_members
from toolkit.commands.session import Session
from toolkit.commands.training.planning.experiment_plan import ExperimentPlan, plan_experiment
from toolkit.commands.training.planning.plan_result import PlannedExperiment, PlannedVariant, PlanResult, epochs_command
from toolkit.core.images.views import parse_views
from toolkit.core.trials.planned_hours import Variant, estimate_of, most, parts_of, variants
from toolkit.errors import ConfigError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, weights_of

_SURE = {True: "yes", False: "no"}


def plan(
    session: Session,
    names: Sequence[str],
    *,
    hours: float = 9.0,
    overrides: Sequence[str] = (),
    again: bool = False,
    device: str | None = None,
) -> PlanResult:
    """Plan experiments for so many hours together; for ensembles, what they may drop to predict in that time.

    Speeds are measured for up to about a minute each, and remembered while network, data and machine are the same.
    Nothing is trained, and no file of an experiment changes.

    Args:
        session: the folder of all experiments, and what shows progress.
        names: experiments and ensembles.
        hours: for all experiments together; for each ensemble, of predicting its test images.
        overrides: keys of the configurations of the experiments.
        again: whether to measure again what is remembered.
        device: the name of another processor or GPU, or a part of it, for which to plan by speeds that were measured
            there and are in the cache; None for this machine.

    Raises:
        ConfigError: the hours are not a positive number, an experiment is named twice, or nothing was measured there.
        ToolkitError: a configuration or its data are not valid.
    """
    if not 0 < hours < math.inf:
        raise ConfigError(f"--hours: expected a number above 0, for example 9 or 0.5; received {hours:g}")
    if len(set(names)) < len(names):
        raise ConfigError(f"an experiment is named twice: {', '.join(names)}")
    if again and device is not None:
        raise ConfigError("--again measures on this machine, and --device plans for another one", "Leave out one.")
    found = [session.workspace.find(name) for name in names]
    plans = _Plans(session, overrides, device, again=again)
    planned = [plans.of(one) for one in found if not one.is_ensemble]
    drops = [plans.drops(one) for one in found if one.is_ensemble]
    seconds = hours * 3600
    rows = variants([one.planned for one in planned], seconds) if planned else []
    # Sides of stages that have a shape of their own cannot be set for all stages at once.
    scalable = all(stage.shape is None for one in planned for stage in one.config.stages)
    chosen = most([one for one in rows if scalable or one.side == 1], seconds)
    shares = [estimate_of(one.planned).seconds for one in planned]
    commands = [] if chosen is None else [
        _command(one, chosen, overrides, hours * share / sum(shares))
        for one, share in zip(planned, shares, strict=True)
    ]  # fmt: skip
    return PlanResult(
        hours, [_described(one) for one in planned], [_row(one, seconds) for one in rows], drops, commands
    )


class _Plans:
    """The plans of experiments, each made once."""

    def __init__(self, session: Session, overrides: Sequence[str], device: str | None, *, again: bool) -> None:
        self._session, self._overrides, self._device, self._again = session, overrides, device, again
        self._known: dict[str, ExperimentPlan] = {}

    def of(self, experiment: Experiment) -> ExperimentPlan:
        """The plan of an experiment."""
        key = str(experiment.folder.resolve())
        if key not in self._known:
            importing = max((one.importing for one in self._known.values()), default=0.0)
            self._known[key] = plan_experiment(
                self._session,
                experiment,
                self._overrides,
                again=self._again,
                device=self._device,
                importing=importing,
            )
        return self._known[key]

    def drops(self, ensemble: Experiment) -> Drops:
        """What an ensemble may drop, with measured seconds."""
        members, _, views = weighted_members(ensemble)
        return find_chain(ensemble, costs_of(members, views, self._seconds), self._session.progress).drops

    def _seconds(self, member: Member, views: str) -> float:
        """Seconds of predicting the test images with a member; of an ensemble with views of its own, with these."""
        if member.is_ensemble:
            inner, weights, own = weighted_members(member.experiment)
            return sum(
                self._seconds(one, views if own == "none" else own) for one, _ in zip(inner, weights, strict=True)
            )
        found = self.of(member.experiment)
        speed, config = found.planned.speed, found.config
        folds = range(config.folds_count) if member.part.fold is None else [member.part.fold]
        counts = {"stages": len(config.stages), "seeds": config.num_seeds}
        networks = sum(len(weights_of(member.experiment, member.part, fold, **counts)) for fold in folds)
        tiles = found.planned.work.test_tiles * len(parse_views(views))
        return speed.building + networks * (speed.weights + tiles * speed.tile)


def _described(one: ExperimentPlan) -> PlannedExperiment:
    parts, time = parts_of(one.planned.work, one.planned.speed), estimate_of(one.planned)
    seconds = {name: round(value, 1) for name, value in asdict(parts).items() if name != "views"}
    return PlannedExperiment(
        one.experiment.name,
        one.remembered.machine.device,
        one.remembered.machine.cores,
        one.remembered.machine.precision,
        one.remembered.engine,
        one.is_new,
        seconds,
        round(time.seconds, 1),
        round(time.low, 1),
        round(time.high, 1),
        None if one.planned.recorded is None else round(one.planned.recorded, 3),
        one.recorded,
    )


def _row(one: Variant, available: float) -> PlannedVariant:
    fits = "unsure" if one.time.low <= available < one.time.high else _SURE[one.fits(available)]
    seconds, low, high = round(one.time.seconds, 1), round(one.time.low, 1), round(one.time.high, 1)
    return PlannedVariant(one.folds, one.epochs, one.side, one.views, seconds, low, high, fits)


def _command(one: ExperimentPlan, chosen: Variant, overrides: Sequence[str], hours: float) -> str:
    """The command that trains an experiment as the variant says; one with smaller sides only says which."""
    work = one.planned.work
    folds = list(range(chosen.folds)) if chosen.folds < work.folds else None
    epochs = None if chosen.asked == 1 else [stage.epochs for stage in work.with_epochs(chosen.asked).stages]
    shape = None
    if chosen.side < 1:
        height, width, channels = one.config.shape
        shape = [*(max(32, round(side * chosen.side / 32) * 32) for side in (height, width)), channels]
    return epochs_command(one.experiment.name, folds, epochs, hours, shape, overrides=overrides)
