"""Scans a folder: folders of images, tables, and other files."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.yaml.file_paths import visible_files
from toolkit.errors import MissingFileError
from toolkit.files.images.decoding import IMAGE_SUFFIXES, image_id_of
from toolkit.files.images.names.image_folder import SPLITS, ImageFolder

_COMPETITION = "competition.yaml"
_NOT_DATA = frozenset(("experiments", "submissions", "__pycache__", "__MACOSX"))
_MOST = 0.9
_FEWEST = 3
_PAIRED = 0.5


@dataclass(frozen=True)
class FolderScan:
    """The files below a folder, by kind.

    Attributes:
        root: the scanned folder.
        folders: folders of images.
        tables: CSV and TSV files.
        documents: JSON files.
        texts: text files.
        competition: the folder's description of its competition, if it has one.
        rest: all other files.
    """

    root: Path
    folders: tuple[ImageFolder, ...]
    tables: tuple[Path, ...]
    documents: tuple[Path, ...]
    texts: tuple[Path, ...]
    competition: Path | None
    rest: tuple[Path, ...]

    def name(self, path: Path) -> str:
        """A path relative to the scanned folder."""
        return path.relative_to(self.root).as_posix() or "."


def scan_folder(root: Path) -> FolderScan:
    """List the files in a folder and below; no file is opened.

    Raises:
        MissingFileError: the folder does not exist.
    """
    if not root.is_dir():
        what = f"{root} is a file, not a folder" if root.exists() else f"there is no folder {root}"
        raise MissingFileError(what, "Name the folder that holds the competition's files.")
    by_folder = dict(visible_files(root, lambda place: place.name not in _NOT_DATA))
    images = {folder: [path for path in paths if _is_image(path)] for folder, paths in by_folder.items()}
    nested = _nested_folders(root, {folder: paths for folder, paths in images.items() if paths})
    taken = {path for folder in nested for path in _below(folder.folder, images)}
    plain = [
        one
        for folder, paths in images.items()
        if paths and not taken.intersection(paths)
        for one in _of_endings(folder, _name(folder, root), paths)
    ]
    competition = next((path for path in by_folder[root] if path.name == _COMPETITION), None)
    rest = [path for paths in by_folder.values() for path in paths if not _is_image(path) and path != competition]
    of = {
        ending: tuple(path for path in rest if path.suffix.lower() == ending)
        for ending in (".csv", ".tsv", ".json", ".txt")
    }
    others = tuple(path for path in rest if path.suffix.lower() not in of)
    tables = (*of[".csv"], *of[".tsv"])
    return FolderScan(root, (*nested, *plain), tables, of[".json"], of[".txt"], competition, others)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix()


def _of_endings(folder: Path, name: str, paths: Sequence[Path]) -> list[ImageFolder]:
    """The images of a folder, in two if most names have two files, which differ in their extension."""
    by_id = _by_id(paths)
    endings = Counter(path.suffix for path in paths)
    if len(endings) != 2 or len(paths) - len(by_id) < _PAIRED * len(by_id):
        return [ImageFolder(folder, name, by_id)]
    return [
        ImageFolder(folder, name, _by_id([path for path in paths if path.suffix == ending]), f"{{id}}{ending}")
        for ending in endings
    ]


def _by_id(paths: Iterable[Path]) -> dict[str, Path]:
    return {image_id_of(path.name): path for path in paths}


def _below(folder: Path, images: Mapping[Path, Sequence[Path]]) -> list[Path]:
    return [path for other, paths in images.items() if other.is_relative_to(folder) for path in paths]


def _nested_folders(root: Path, images: Mapping[Path, Sequence[Path]]) -> list[ImageFolder]:
    """Folders with one subfolder per image, whose files have the same patterns of names."""
    samples: dict[Path, dict[str, dict[str, list[Path]]]] = defaultdict(lambda: defaultdict(dict))
    for folder, paths in images.items():
        for parent in [folder, *folder.parents]:
            if parent == root or not parent.is_relative_to(root):
                break
            inner = folder.relative_to(parent).as_posix()
            patterns = samples[parent.parent][parent.name]
            for path in paths:
                pattern = _pattern(path.name, parent.name)
                patterns.setdefault(f"{{id}}/{inner}/{pattern}".replace("/./", "/"), []).append(path)
    found = []
    for parent, subfolders in sorted(samples.items()):
        if parent not in images and len(subfolders) >= _FEWEST and SPLITS.isdisjoint(map(str.lower, subfolders)):
            found += _shared_patterns(root, parent, subfolders)
    return found


def _pattern(name: str, image_id: str) -> str:
    return name.replace(image_id, "{id}")


def _shared_patterns(root: Path, parent: Path, subfolders: Mapping[str, Mapping[str, list[Path]]]) -> list[ImageFolder]:
    """Patterns of files that nearly all subfolders have; other files in the same place are several of one kind.

    Nothing if there are as many patterns as subfolders: then the subfolders are classes or splits, not images.
    """
    count = len(subfolders)
    places: dict[str, dict[str, list[Path]]] = defaultdict(dict)
    single = Counter(pattern for patterns in subfolders.values() for pattern in patterns)
    common = {pattern for pattern, times in single.items() if times >= _MOST * count}
    for image_id, patterns in subfolders.items():
        for pattern, paths in patterns.items():
            place = pattern if pattern in common else f"{pattern.rpartition('/')[0]}/*{paths[0].suffix}"
            places[place].setdefault(image_id, []).extend(paths)
    shared = {place: files for place, files in places.items() if len(files) >= _MOST * count}
    if not common or len(common) >= count:
        return []
    return [
        ImageFolder(parent, _name(parent, root), {image_id: paths[0] for image_id, paths in files.items()}, place)
        for place, files in sorted(shared.items())
    ]
