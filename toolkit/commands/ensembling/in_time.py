"""`tk submit --minutes`: predicts test images in the order of what members and views are worth, and submits in time.

In the end every image has the mean of the same members and views, and the recipe is one that was tuned on exactly
these, out of fold.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from toolkit.commands.ensembling.drops import RESERVE, Chain, costs_of, find_chain, weighted_members
from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.ensembling.passes import Budget, Clock, join_members, predict_in_time
from toolkit.commands.ensembling.test_images import note_test_images
from toolkit.commands.session import Session
from toolkit.commands.submitting.kaggle import Uploader
from toolkit.commands.submitting.submit import InTime, SubmitOptions, SubmitResult, check_options, submit
from toolkit.commands.tuning.tune import tune
from toolkit.core.ensembling.dropping import Cost, Remaining
from toolkit.core.images.views import parse_views
from toolkit.errors import ChangedError, ConfigError, NotReadyError, OutOfTimeError
from toolkit.files.datasets.truth import truth_of
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, members_of, weights_of
from toolkit.files.experiment.resolved import config_of, read_resolved
from toolkit.files.experiment.tuned import read_tuned
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress, duration_text


@dataclass(frozen=True)
class _Predicted:
    """What was predicted in time: an experiment or ensemble with the stores, its members, and what was left out."""

    experiment: Experiment
    members: list[str]
    views: str
    left_out: list[str]


def submit_in_time(
    session: Session,
    name: str | None = None,
    *,
    minutes: float,
    options: SubmitOptions,
    uploader: Uploader | None = None,
    clock: Clock = time.monotonic,
) -> SubmitResult:
    """Predict the test images for so many minutes at most, and submit the means of what every image has.

    The members of an ensemble predict in the reverse order of `find_chain`: first the one that is worth most, without
    views. Whatever is predicted is kept, so that the same command goes on from there. If the whole ensemble was not
    predicted in time, a smaller one is made of the members that were, NAME-in-time, with its own scores and recipe.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: of the experiment or ensemble; None for the one finished last.
        minutes: from now until the file is written; averaging, tuning and writing may take longer than `RESERVE`.
        options: as for `submit`; with a threshold nothing is tuned.
        uploader: as for `submit`.
        clock: seconds that pass.

    Raises:
        ConfigError: the minutes are not a positive number.
        OutOfTimeError: not even the first member predicted all images in time; nothing is written.
        NotReadyError: out-of-fold predictions are missing, or there are no test images.
        SubmissionError, UploadError: as for `submit`.
    """
    if not 0 < minutes < math.inf:
        raise ConfigError(f"--minutes: expected a number above 0, for example 60; received {minutes:g}")
    budget, began = Budget(minutes * 60, clock), clock()
    experiment, progress = session.workspace.find_or_last(name, session.progress), session.progress
    check_options(options)
    ProbabilityStore(experiment.predictions("oof"))  # missing or outdated ones are refused before the work
    if options.threshold is None and not (experiment.is_ensemble or experiment.tuned.is_file()):
        raise NotReadyError(
            f"{experiment.name} has no tuned recipe yet",
            f"Run: tk tune {experiment.name}, or give a threshold: tk submit {experiment.name} --threshold 0.5",
        )
    note_test_images(experiment, progress)
    predicted = _predict(session, experiment, budget, minutes)
    spent = clock() - began
    if options.threshold is None:
        _tune(session, predicted.experiment)
    result = submit(session, str(predicted.experiment.folder.absolute()), options=options, uploader=uploader)
    return replace(
        result,
        in_time=InTime(
            experiment.name, minutes, round(spent, 1), predicted.members, predicted.views, predicted.left_out
        ),
    )


def _predict(session: Session, experiment: Experiment, budget: Budget, minutes: float) -> _Predicted:
    progress, started = session.progress, budget.now()
    if not experiment.is_ensemble:
        budget.keep_back(RESERVE * minutes * 60)
        if not predict_in_time(Member(experiment), "none", budget, progress, is_first=True):
            raise _out_of_time(experiment, minutes)
        return _Predicted(experiment, [experiment.name], "none", [])
    chain = find_chain(experiment, _costs(experiment), progress, seconds_known=False)
    views = members_of(experiment)[1].views
    budget.keep_back(max(RESERVE * minutes * 60, budget.now() - started))
    left = _complete(chain, views, budget, progress)
    if left is None:
        raise _out_of_time(experiment, minutes)
    names = [chain.members[number].name for number in left.members]
    used = views if left.viewed else "none"
    if left == chain.remaining[0]:
        join_members(Member(experiment), views, progress)
        return _Predicted(experiment, names, used, [])
    gone = [one.name for number, one in enumerate(chain.members) if number not in left.members]
    gone += [] if left.viewed or views == "none" else [f"views {views}"]
    progress.say(f"{experiment.name}: predicted in time are {', '.join(names)} with views {used}")
    return _Predicted(_smaller(session, experiment, chain, left, used), names, used, gone)


def _complete(chain: Chain, views: str, budget: Budget, progress: Progress) -> Remaining | None:
    """The largest part of the chain that is predicted in time, from its end; None if not even the last one is."""
    found: Remaining | None = None
    for left in reversed(chain.remaining):
        for number in left.members:
            for used in dict.fromkeys(("none", views)) if left.viewed else ("none",):
                is_first = found is None
                if not predict_in_time(chain.members[number], used, budget, progress, is_first=is_first):
                    return found
        found = left
    return found


def _smaller(session: Session, experiment: Experiment, chain: Chain, left: Remaining, views: str) -> Experiment:
    """The ensemble of some of the members, with their weights; its predictions are there already."""
    members = [chain.members[number] for number in left.members]
    made = ensemble(
        session,
        [":".join((str(one.experiment.folder.absolute()), *one.part.words)) for one in members],
        weights=[chain.weights[number] for number in left.members],
        mean=members_of(experiment)[1].mean,
        views=views,
        name=f"{experiment.name}-in-time",
    )
    return experiment.sibling(made.experiment)


def _tune(session: Session, experiment: Experiment) -> None:
    """Tune the recipe, unless the one that is there belongs to the present predictions."""
    classes = truth_of(experiment, read_resolved(experiment)).classes
    try:
        read_tuned(experiment, classes.count, classes.activation)
    except (NotReadyError, ChangedError) as error:
        session.progress.say(f"tuning the recipe: {error.message}")
        tune(session, str(experiment.folder.absolute()))


def _costs(experiment: Experiment) -> list[Cost]:
    """The work of the members: pixels that networks compute for an image."""
    members, _, views = weighted_members(experiment)
    return costs_of(members, views, _work)


def _work(member: Member, views: str) -> float:
    if member.is_ensemble:
        inner, _, own = weighted_members(member.experiment)
        return sum(_work(one, views if own == "none" else own) for one in inner)
    config = config_of(member.experiment, read_resolved(member.experiment))
    folds: Sequence[int] = range(config.folds_count) if member.part.fold is None else [member.part.fold]
    counts = {"stages": len(config.stages), "seeds": config.num_seeds}
    networks = sum(len(weights_of(member.experiment, member.part, fold, **counts)) for fold in folds)
    height, width, _ = config.prediction_shape
    return networks * height * width * sum(view.scale**2 for view in parse_views(views))


def _out_of_time(experiment: Experiment, minutes: float) -> OutOfTimeError:
    return OutOfTimeError(
        f"{experiment.name}: {duration_text(minutes * 60)} are not enough to predict every test image even once; "
        "nothing is written",
        f"What is predicted is kept. To go on: tk submit {experiment.name} --minutes {minutes:g}",
    )
