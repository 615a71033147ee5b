"""What the results of an experiment are made from: recorded when training begins, compared before it goes on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.commands.training.units.training_job import TrainingJob
from toolkit.config.loading import with_defaults
from toolkit.config.stage_values import dotted_names
from toolkit.config.training.execution import READING_KEYS
from toolkit.config.training.networks import has_backbone
from toolkit.config.yaml.plugin_names import names_defined_beside
from toolkit.errors import ChangedError
from toolkit.files.code.own_modules import sources_of
from toolkit.files.datasets.dataset import background_digest
from toolkit.files.disk.digests import file_digest
from toolkit.files.disk.installed_weights import installed_weights
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.initial_weights import (
    check_initial_weights,
    fold_with_weights,
    joined_digest,
    refuse_fold_weights,
)
from toolkit.files.experiment.resolved import (
    Resolved,
    changed_code,
    changed_keys,
    digests_of_code,
    load_experiment,
    read_resolved,
    write_resolved,
)
from toolkit.messages import Progress

# Compared by their content instead: the data, the folds, the precision and the engine that were chosen. How samples are
# read has no influence on results.
_FREE_TO_CHANGE = (
    "data.images",
    "data.masks",
    "data.competition",
    "data.test",
    "data.sample_submission",
    "data.external_negatives",
    "data.extra_train_data",
    "data.merge",
    "data.metadata",
    "data.source.file",
    "data.test_source.file",
    "folds:",
    "precision:",
    "engine:",
    "report:",
    *(f"{key}:" for key in READING_KEYS),
)
_CONTENTS = {
    "training_data": "the content of the training images or masks",
    "extra_data": "the content of the extra training images or masks",
    "weights": "the weights of the images",
    "positives": "the images with foreground, as your data source reports them",
    "folds": "the folds, so that images would be scored by networks that were trained on them",
    "backgrounds": "the images of a BackgroundReplacer",
    "encoder_weights": "the content of the file with the encoder's weights",
    "pseudo_labels": "the pseudo-labels, or which of them each fold may learn from",
    "initial_weights": "the weights that a stage starts from",
}


def code_and_weights(job: TrainingJob, progress: Progress) -> dict[str, str]:
    """Digests of the user's code, background images, and the weights that training starts from.

    Warns of weights that were trained on images that other folds hold out.
    """
    experiment, loaded, config = job.experiment, job.loaded, job.loaded.config
    digests = digests_of_code(experiment, config) | ({"pseudo_labels": job.pseudo.digest} if job.pseudo.pools else {})
    backgrounds = background_digest(config)
    if backgrounds:
        digests["backgrounds"] = backgrounds
    if isinstance(config.encoder_weights, Path) and config.encoder_weights.is_file():
        refuse_fold_weights(config.encoder_weights, loaded.where("encoder_weights"))
        digests["encoder_weights"] = file_digest(config.encoder_weights)
    elif isinstance(config.encoder_weights, str) and has_backbone(config.architecture):
        file = installed_weights(str(config.backbone))
        if file is not None:
            digests["encoder_weights"] = file_digest(file)
    given = [(number, stage.initial_weights) for number, stage in enumerate(config.stages) if stage.initial_weights]
    for number, value in given:
        copied = fold_with_weights(experiment, Path(value)) if Path(value).is_file() else None
        if copied is not None:
            where = loaded.where("stages", number, "initial_weights")
            progress.warn(
                f"{where}: {value} is a copy of {copied}, which was trained on images that other folds hold out: "
                "scores are too high. With initial_weights: EXPERIMENT each fold starts from its own weights"
            )
    if given:
        found = [
            check_initial_weights(
                experiment,
                value,
                loaded.where("stages", number, "initial_weights"),
                ids=job.dataset.index.ids,
                folds=job.table.folds,
                wanted=range(config.folds_count),
                num_seeds=config.num_seeds,
            )
            for number, value in given
        ]
        digests["initial_weights"] = joined_digest(found)
    return digests


def begin_results(experiment: Experiment, resolved: Resolved, restart: bool) -> None:
    """Write resolved.yaml, unless earlier results were made with a different configuration."""
    if restart:
        experiment.forget_results()
    _refuse_changed(experiment, resolved)
    if experiment.has_training():
        # The versions are those that the earlier results were trained with.
        before = read_resolved(experiment)
        resolved = replace(resolved, versions=before.versions)
        if resolved == before:
            return
    write_resolved(experiment, resolved)


def changes_of_results(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The keys in which two configurations differ, as plain data, without those that cannot change results.

    Data are not compared here, but by their content.
    """
    changes = changed_keys(with_defaults(before), after)
    return [change for change in changes if not change.startswith(_FREE_TO_CHANGE)]


def _refuse_changed(experiment: Experiment, resolved: Resolved) -> None:
    """Refuse to resume results of a different configuration or different data."""
    if not experiment.has_training():
        return
    if not experiment.resolved.is_file():
        raise ChangedError(
            f"{experiment.folder} holds trained folds, but their configuration, {experiment.resolved.name}, is missing",
            f"Restore it, or discard the folds: tk fit {experiment.name} --restart",
        )
    before = read_resolved(experiment)
    changes = changes_of_results(before.config, resolved.config)
    changes += [text for name, text in _CONTENTS.items() if before.digests.get(name) != resolved.digests.get(name)]
    changes += changed_code(before.digests, resolved.digests)
    if before.precision != resolved.precision:
        changes.append(
            f"the precision chosen by auto on this machine: {before.precision} → {resolved.precision}; to keep the "
            f"earlier one: --set precision={before.precision}"
        )
    if changes:
        listed = "\n".join(f"  {change}" for change in changes)
        raise ChangedError(
            f"{experiment.folder} holds results of a different configuration; changed since:\n{listed}",
            f"Undo the change, make a new experiment (tk new NAME --extends {experiment.name}), or discard the results "
            f"with: tk fit {experiment.name} --restart",
        )


def code_of(parent: Experiment, experiment: Experiment) -> dict[Path, str]:
    """The plugins.py of an experiment and its modules that plugins.py or the configuration uses, by relative path.

    Nothing if the new experiment has a plugins.py already. Modules in the working folder are not copied: they are found
    from every experiment.
    """
    if experiment.plugins.exists() or not any(parent.folder.glob("**/*.py")):
        return {}
    config = load_experiment(parent).config
    folder = parent.folder.absolute()
    modules = sources_of(parent.folder, dotted_names(config, names_defined_beside(parent.config))).values()
    own = [path for path in modules if path.absolute().is_relative_to(folder)]
    files = [*([parent.plugins] if parent.plugins.is_file() else []), *sorted(own)]
    return {path.absolute().relative_to(folder): path.read_text("utf-8") for path in files}
