"""The experiments that `tk compare` compares, and which of them can be compared image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.config.data.classes import task_classes
from toolkit.config.loading import load_config, load_ensemble
from toolkit.config.yaml.key_differences import written
from toolkit.errors import ChangedError, ConfigError, MissingFileError, NotReadyError, counted, listing
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, data_of, read_resolved
from toolkit.files.experiment.tuned import TunedRecipe, read_tuned
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore

NOT_FITTED = "it has not been fitted yet"
"""The reason of an experiment without any results."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """An experiment as it is on disk.

    `store` is None if its images cannot be compared with those of the baseline, and `reason` tells why. `tuned` is None
    if it was tuned on earlier predictions, and `stale` tells why. `holdout` is None without a hold-out, and if the
    hold-out differs from that of the baseline, and `holdout_reason` tells why.
    """

    name: str
    experiment: Experiment
    resolved: Resolved | None
    store: ProbabilityStore | None
    tuned: TunedRecipe | None = None
    reason: str = ""
    stale: str = ""
    holdout: ProbabilityStore | None = None
    holdout_reason: str = ""


def experiments_among(workspace: Workspace, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of experiments, and a note on each file or folder that is none, as `experiments/*` has them.

    An experiment that was not fitted and whose configuration is not valid is skipped too, as long as two are left.

    Raises:
        MissingFileError: there is nothing by a name, or nothing is an experiment.
        ConfigError: a configuration is not valid, and there are not two others.
    """
    found, notes = [], []
    invalid: ConfigError | None = None
    for name in names:
        try:
            experiment = workspace.find(name)
            if not experiment.resolved.is_file():
                (load_ensemble if experiment.is_ensemble else load_config)(experiment.config)
        except MissingFileError:
            if not (workspace.root / name).exists() or len(names) == 1:
                raise
            notes.append(f"{name} is skipped: it is no experiment, because it holds no config.yaml")
        except ConfigError as error:
            invalid = error
            notes.append(f"{name} is skipped: its configuration is not valid. To see why: tk config show {name}")
        else:
            found.append(name)
    if invalid is not None and len(found) < 2:
        raise invalid
    if not found:
        raise MissingFileError(f"none of these is an experiment: {listing(names)}", "To list experiments: tk ls")
    return found, notes


def candidates_of(
    workspace: Workspace, names: Sequence[str], baseline: str | None
) -> tuple[list[Candidate], int, list[str]]:
    """All experiments, the index of the baseline among them, and notes about it.

    Without a name, the baseline is the first experiment that was fitted to data on disk. One that is not in `names`
    comes first.
    """
    given = list(names)
    found = [workspace.find(name) for name in names]
    place = 0
    if baseline is not None:
        first = workspace.find(baseline)
        if first not in found:
            found, given = [first, *found], [baseline, *given]
        place = found.index(first)
    twice = sorted({experiment.name for experiment in found if found.count(experiment) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)} is named twice")
    if len(found) < 2:
        raise ConfigError(
            f"there is nothing to compare {found[0].name} with",
            f"Add another experiment: tk compare {found[0].name} EXPERIMENT",
        )
    # Experiments of different folders may have the same name.
    known = [experiment.name for experiment in found]
    labels = [name if known.count(name) == 1 else text for name, text in zip(known, given, strict=True)]
    candidates = [candidate_of(label, experiment) for label, experiment in zip(labels, found, strict=True)]
    fitted = [number for number, one in enumerate(candidates) if one.resolved is not None]
    # Without the images of the baseline nothing is scored; those of a dataset in Python are in one process alone.
    on_disk = [number for number in fitted if not _is_in_memory(candidates[number])]
    place = place if baseline is not None else next(iter([*on_disk, *fitted]), place)
    if baseline is not None or place == 0:
        return candidates, place, []
    name = candidates[place].name
    note = f"the baseline is {name}, the first fitted experiment with its data on disk; another: --baseline"
    return candidates, place, [note]


def _is_in_memory(candidate: Candidate) -> bool:
    """Whether an experiment was fitted to a dataset given in Python that this process does not have."""
    return (
        candidate.resolved is not None
        and "dataset" in candidate.resolved.digests
        and candidate.experiment.dataset is None
    )


def candidate_of(name: str, experiment: Experiment) -> Candidate:
    """An experiment as it is on disk; `name` is what it is called in messages."""
    if not experiment.resolved.is_file():
        return Candidate(name, experiment, None, None, reason=NOT_FITTED)
    candidate = Candidate(name, experiment, read_resolved(experiment), None)
    try:
        candidate = replace(candidate, store=ProbabilityStore(experiment.predictions("oof")))
        if experiment.predictions("holdout").is_dir():
            candidate = replace(candidate, holdout=ProbabilityStore(experiment.predictions("holdout")))
    except (NotReadyError, ChangedError) as error:
        candidate = replace(candidate, reason=error.message)
    try:
        return replace(candidate, tuned=_tuned(candidate))
    except ChangedError as error:
        return replace(candidate, stale=error.message)


def _tuned(candidate: Candidate) -> TunedRecipe | None:
    experiment, resolved = candidate.experiment, candidate.resolved
    if resolved is None or not experiment.tuned.is_file():
        return None
    config = resolved.config
    classes = task_classes(config["classes"], config["activation"], data_of(experiment, resolved))
    return read_tuned(experiment, classes.count, classes.activation)


def matched(candidate: Candidate, base: Candidate) -> Candidate:
    """The candidate, without stores that hold other images than those of the baseline."""
    unfit = candidate.reason or (base.reason and f"{base.name}: {base.reason}") or _other_task(candidate, base)
    reason = unfit or _other_images(candidate, base, candidate.store, base.store)
    if reason:
        candidate = replace(candidate, store=None, reason=reason)
    if candidate.holdout is None or base.holdout is None:
        return replace(candidate, holdout=None)
    reason = unfit or _other_images(candidate, base, candidate.holdout, base.holdout)
    return replace(candidate, holdout=None, holdout_reason=reason) if reason else candidate


def _other_task(candidate: Candidate, base: Candidate) -> str:
    """Why the predictions of two experiments cannot be compared; empty if they can."""
    if candidate.resolved is None or base.resolved is None:
        return "there are no predictions"
    for key in ("classes", "activation"):
        one, other = candidate.resolved.config[key], base.resolved.config[key]
        if one != other:
            return f"{key} is {written(one)}, but {written(other)} in {base.name}"
    return ""


def _other_images(
    candidate: Candidate, base: Candidate, ours: ProbabilityStore | None, theirs: ProbabilityStore | None
) -> str:
    """Why the images of two experiments cannot be compared one by one; empty if they can."""
    if ours is None or theirs is None or candidate.resolved is None or base.resolved is None:
        return "there are no predictions"
    differing = sorted(set(ours.ids).symmetric_difference(theirs.ids))
    if differing:
        are = "is" if len(differing) == 1 else "are"
        names = f"{candidate.name} and {base.name}"
        return f"{counted(len(differing), 'image')} {are} in only one of {names}: {listing(differing, 3)}"
    resized = [image_id for image_id in theirs.ids if ours.size(image_id) != theirs.size(image_id)]
    if resized:
        have = "has" if len(resized) == 1 else "have"
        return f"{counted(len(resized), 'image')} {have} a different size in {base.name}: {listing(resized, 3)}"
    return _other_content(candidate.resolved.digests, base.resolved.digests, base.name)


def _other_content(ours: Mapping[str, str], theirs: Mapping[str, str], name: str) -> str:
    """Why the images and masks of two experiments are not known to be the same; empty if they are.

    Digests of files differ for the same pixels in other files or in memory; digests of pixels do not, but earlier
    versions did not write them.
    """
    for kind in ("training_data", "training_pixels"):
        if kind in ours and ours[kind] == theirs.get(kind):
            return ""
    if "dataset" in {*ours, *theirs} and not ("training_pixels" in ours and "training_pixels" in theirs):
        return (
            f"one of it and {name} was fitted to a dataset given in Python, by a version that did not record whether "
            "the pixels are those of the other"
        )
    return f"its images or masks have the names of those of {name}, but different content"
