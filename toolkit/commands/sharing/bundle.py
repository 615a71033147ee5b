"""`tk bundle`: trained experiments with all that predicts with them, for a notebook without internet."""

import platform as machine
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.commands.scoring.recipe_choice import check_threshold, tuned_recipe
from toolkit.commands.session import Session
from toolkit.commands.sharing.bundle_result import BundleResult, size_text
from toolkit.commands.sharing.bundling.bundled_experiments import BundledExperiments, Content, private_words
from toolkit.commands.sharing.bundling.notebook_files import (
    MANIFEST,
    METADATA_FILES,
    NOTEBOOK,
    KaggleNames,
    kaggle_names,
    metadata_files,
    notebook,
    predict_script,
    readme,
)
from toolkit.commands.sharing.bundling.own_package import NAME, own_wheel, pinned_requirements
from toolkit.commands.sharing.bundling.platform_wheels import (
    Platform,
    download_wheels,
    parse_platform,
    requirements_text,
)
from toolkit.config.data.neighbours import parts_of
from toolkit.config.yaml.file_paths import regular
from toolkit.errors import ChangedError, ConfigError, NotReadyError, StorageError, listing
from toolkit.files.disk.changes import make_folder
from toolkit.files.disk.free_space import free_disk
from toolkit.files.disk.json_files import STRICT, read_json, write_json
from toolkit.files.disk.locks import locked
from toolkit.files.disk.writing import new_folder, replacing
from toolkit.files.experiment.fitted import Fitted, classes_of, find_fitted
from toolkit.files.experiment.members import Member, find_member
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.trained import tell_untrained
from toolkit.messages import Progress

KAGGLE_BYTES = 200 * 10**9
"""A dataset on Kaggle may have 200 GB."""
_AT_ONCE = 1 << 20
_UNCHECKED = ("README.md", *METADATA_FILES)
"""Not in the manifest: people edit them, and Kaggle's client does not upload the metadata."""


@dataclass(frozen=True)
class BundleOptions:
    """The folder, the platform of the wheels of other packages, the recipe, and the names on Kaggle.

    Without `wheels`, only the wheel of this package is in the bundle. `threshold` takes the place of tuned recipes.
    """

    out: Path = Path("bundle")
    wheels: str | None = None
    threshold: float | None = None
    minutes: float = 480.0
    kaggle_user: str | None = None
    kaggle_competition: str | None = None


@with_config(STRICT)
class _Manifest(TypedDict):
    """The content of bundle.json, as far as it is read here."""

    experiments: list[str]


_SHAPE = TypeAdapter(_Manifest)


def bundle(session: Session, experiments: Sequence[str], *, options: BundleOptions) -> BundleResult:
    """Write a folder with experiments and ensembles that predicts test images on a machine without a network.

    It is a workspace: the commands of `tk` that predict work on it. Nothing in it names this machine, its user or its
    folders; own code is copied as it is, with a warning where it does.

    Args:
        session: the folder of all experiments, and what shows progress.
        experiments: names or paths of experiments, ensembles, or parts of experiments; the first predicts by default.
        options: see `BundleOptions`.

    Raises:
        ConfigError: an option is not valid, or two experiments have the same name.
        NotReadyError: weights are missing, or there is neither a tuned recipe nor a threshold.
        ChangedError: the folder exists and is not a bundle of the same experiments, or own code has changed.
        MissingFileError: the wheels of other packages cannot be downloaded.
        StorageError: the disk is full.
    """
    progress, out = session.progress, options.out
    if not experiments:
        raise ConfigError("no experiment is named", "Run: tk bundle EXPERIMENT")
    platform = None if options.wheels is None else parse_platform(options.wheels)
    members = [find_member(session.workspace, name) for name in experiments]
    names = [member.name for member in members]
    on_kaggle = kaggle_names(names[0], options.kaggle_user, options.kaggle_competition, options.minutes)
    session.workspace.refuse_inside_experiment(out)
    _refuse_existing(out, names)
    found, fitted = BundledExperiments(), [find_fitted(member) for member in members]
    for member, one in zip(members, fitted, strict=True):
        _check_recipe(member, one, options.threshold, progress)
        _refuse_columns(one)
        found.add(member, one)
    files = _with_texts(found, names, on_kaggle, platform)
    required = pinned_requirements(_extras(found), found.modules, None if platform is None else platform.environment)
    files["requirements.txt"] = requirements_text({NAME: version(NAME), **required}).encode()
    warnings = _warnings(found, session.workspace.root)
    for warning in warnings:
        progress.warn(warning)
    sizes = {"weights": sum(_size(files[name]) for name in found.weights), "all without further wheels": _total(files)}
    _tell(sizes, out, progress)
    with _locked(out), new_folder(out) as folder:
        if platform is not None:
            download_wheels(platform, required, folder / "wheels", progress)
        wheels = sorted(path for path in (folder / "wheels").glob("*") if path.is_file())
        sizes = _sizes(files, found, wheels)
        if platform is not None:
            _tell(sizes, out, progress)
        _write(folder, files, progress)
        known = {path.relative_to(folder).as_posix(): path.stat().st_size for path in wheels}
        checked = {name: _size(one) for name, one in files.items() if name not in _UNCHECKED}
        _write_manifest(folder, names, options.threshold, checked | known)
    return BundleResult(
        names, str(out), sum(one.count for one in fitted), ", ".join(sorted(found.engines)), sizes,
        sorted(found.code), warnings, options.wheels, on_kaggle.user,
    )  # fmt: skip


def _refuse_columns(fitted: Fitted) -> None:
    """Refuse networks whose slices are ordered by a table, which does not have the images of another machine."""
    for networks in fitted.leaves():
        data = networks.config.data
        named = () if data.neighbours is None else data.neighbours.names
        for key, name in named:
            if name not in parts_of(data.image_id):
                raise ConfigError(
                    f"{networks.experiment.name}: data.neighbours.{key}: {name} is a column of data.metadata, "
                    "which says nothing about other images",
                    f"Read it from the names of images: a part of image_id, or {{pattern: …}}. Then run: tk fit "
                    f"{networks.experiment.name} --restart",
                )


def _refuse_existing(out: Path, names: Sequence[str]) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MANIFEST).is_file():
        raise ChangedError(f"--out: {out} exists and is no bundle, so it is not replaced", "Choose another name: --out")
    there = read_json(out / MANIFEST, _SHAPE, f"Delete {out}, or choose another name: --out")["experiments"]
    if there != list(names):
        raise ChangedError(
            f"--out: {out} is a bundle of {', '.join(there)}, so it is not replaced", "Choose another name: --out"
        )


def _check_recipe(member: Member, fitted: Fitted, threshold: float | None, progress: Progress) -> None:
    """There is a recipe, and it belongs to the predictions of now."""
    experiment = member.experiment
    if not member.is_part:
        tell_untrained(experiment, read_resolved(experiment).config, progress, "prediction")
    if threshold is not None:
        check_threshold(threshold)
        return
    instead = f"give a threshold: tk bundle {member.name} --threshold 0.5"
    if not experiment.tuned.is_file():
        raise NotReadyError(
            f"{experiment.name} has no tuned recipe yet", f"Run: tk tune {experiment.name}, or {instead}"
        )
    tuned_recipe(experiment, classes_of(fitted), instead, progress)


def _extras(found: BundledExperiments) -> list[str]:
    return ["openvino"] if "openvino" in found.engines else []


def _with_texts(
    found: BundledExperiments, names: Sequence[str], on_kaggle: KaggleNames, platform: Platform | None
) -> dict[str, Content]:
    """All files but the manifest, the requirements and the wheels of other packages."""
    with_wheels = platform is not None
    wheel, content = own_wheel()
    about = {"version": version(NAME), "python": "3.11 to 3.13" if platform is None else platform.python}
    return {
        **dict(sorted(found.files.items())),
        f"wheels/{wheel}": content,
        "predict.py": predict_script(),
        NOTEBOOK: notebook(on_kaggle, with_wheels=with_wheels),
        "README.md": readme(on_kaggle, names, sorted(found.code), with_wheels=with_wheels, **about),
        **metadata_files(on_kaggle, gpu=found.engines != {"openvino"}),
    }


def _warnings(found: BundledExperiments, root: Path) -> list[str]:
    words = [str(root.resolve()), str(Path.home()), machine.node()]
    places = private_words(found.files, found.code, words)
    if not places:
        return []
    return [f"own code names this machine or folders of it, and is copied as it is: {listing(places)}"]


def _size(content: Content) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def _total(files: Mapping[str, Content]) -> int:
    return sum(map(_size, files.values()))


def _sizes(files: Mapping[str, Content], found: BundledExperiments, wheels: Sequence[Path]) -> dict[str, int]:
    """The sizes of weights, of wheels (those on disk, and that of this package) and of everything."""
    downloaded = sum(path.stat().st_size for path in wheels)
    own = sum(_size(one) for name, one in files.items() if name.startswith("wheels/"))
    weights = sum(_size(files[name]) for name in found.weights)
    return {"weights": weights, "wheels": own + downloaded, "all": _total(files) + downloaded}


def _tell(sizes: Mapping[str, int], out: Path, progress: Progress) -> None:
    """Say the sizes, and refuse what does not fit on the disk."""
    progress.say(f"{out}: {', '.join(f'{name} {size_text(size)}' for name, size in sizes.items())}")
    *_, total = sizes.values()
    if total > KAGGLE_BYTES:
        progress.warn(f"Kaggle takes at most {size_text(KAGGLE_BYTES)} in a dataset")
    free = free_disk(out)
    if total > free:
        raise StorageError(
            f"{out}: {size_text(total)} are needed, and {size_text(free)} are free on this disk",
            "Free some space, or choose a folder on another disk: --out",
        )


def _write(folder: Path, files: Mapping[str, Content], progress: Progress) -> None:
    with progress.task("writing the bundle", _total(files)) as task:
        for name, content in files.items():
            with replacing(folder / name) as target:
                if isinstance(content, Path):
                    with regular(content).open("rb") as source:
                        shutil.copyfileobj(source, target, _AT_ONCE)
                else:
                    target.write(content)
            task.advance(_size(content))


def _write_manifest(folder: Path, names: Sequence[str], threshold: float | None, sizes: Mapping[str, int]) -> None:
    tree = {"format": 1, "experiments": list(names), "threshold": threshold, "version": version(NAME)}
    write_json(folder / MANIFEST, tree | {"files": dict(sorted(sizes.items()))})


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Keep two runs off the folder of bundles."""
    make_folder(out.parent)
    with locked(out.parent / ".bundling"):
        yield
