"""Test images that have changed since the fit, noted where `tk fit` notes them, so that predictions are of these."""

from dataclasses import replace

from toolkit.commands.ensembling.drops import weighted_members
from toolkit.config.loading import with_absolute_paths, with_relative_paths
from toolkit.errors import NotReadyError
from toolkit.files.data.finding import find_test_images
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import (
    Resolved,
    data_of,
    load_experiment,
    read_resolved,
    settings_as_run,
    write_resolved,
)
from toolkit.files.inspection.checking import check_test_data, content_digest
from toolkit.messages import Progress

_KEYS = ("test", "sample_submission")


def note_test_images(experiment: Experiment, progress: Progress) -> None:
    """Write the present test images of an experiment, or of all members of an ensemble, into resolved.yaml.

    `data.test` and `data.sample_submission` are those that config.yaml has now. Nothing is predicted; stores of other
    images count as outdated afterwards.

    Raises:
        NotReadyError: there are no test images.
        DataError: a test image cannot be used.
    """
    if experiment.is_ensemble:
        members, _, _ = weighted_members(experiment)
        for member in members:
            note_test_images(member.experiment, progress)
        first = members[0].experiment
        _note(experiment, _with_test_of(experiment, read_resolved(experiment), first, read_resolved(first)), progress)
        return
    resolved = read_resolved(experiment)
    config = load_experiment(experiment, settings=settings_as_run(experiment)).config
    images = find_test_images(config.data, config.shape[2])
    if images is None:
        raise NotReadyError(
            f"{experiment.name} has no test images: data.test is not set",
            f"Add data.test to {experiment.config} and run: tk fit {experiment.name}",
        )
    digest = content_digest(check_test_data(images, progress, experiment.cache))
    if not data_of(experiment, resolved).is_given:
        now = with_relative_paths({"data": config.data.model_dump()}, experiment.folder)["data"]
        data = dict(resolved.config["data"]) | {key: now[key] for key in _KEYS}
        resolved = replace(resolved, config=dict(resolved.config) | {"data": data})
    _note(experiment, replace(resolved, digests=dict(resolved.digests) | {"test_data": digest}), progress)


def _with_test_of(ensemble: Experiment, ours: Resolved, first: Experiment, theirs: Resolved) -> Resolved:
    """What an ensemble was run with, with the test images of its first member."""
    absolute = with_absolute_paths({"data": theirs.config["data"]}, first.folder)
    data = with_relative_paths(absolute, ensemble.folder)["data"]
    merged = dict(ours.config["data"]) | {key: data.get(key) for key in _KEYS}
    digests = dict(ours.digests) | {"test_data": theirs.digests["test_data"]}
    return replace(ours, config=dict(ours.config) | {"data": merged}, digests=digests)


def _note(experiment: Experiment, resolved: Resolved, progress: Progress) -> None:
    before = read_resolved(experiment)
    if before.digests == resolved.digests and before.config == resolved.config:
        return
    if before.digests.get("test_data") != resolved.digests["test_data"]:
        progress.say(f"{experiment.name}: the test images have changed since they were predicted")
    with experiment.locked():
        write_resolved(experiment, resolved)
