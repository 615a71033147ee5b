"""Links, paths, names and examples in docs/, README.md and CONTRIBUTING.md."""

import json
import re
from pathlib import Path

import pytest

from toolkit import errors
from toolkit.config.loading import load_config
from toolkit.config.training.architectures import ARCHITECTURES
from toolkit.config.yaml.yaml_files import read_value
from toolkit.core.images.views import VIEWS
from toolkit.core.metrics.registry import METRICS, MetricSpec, build_metric
from toolkit.core.recipe.postprocess import recipe_from_plain, recipe_to_plain
from toolkit.core.simulated.ccd import CCD_CLASSES
from toolkit.core.tuning.task import STEPS
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.simulated import Simulation, write_simulation
from toolkit.messages import Silent

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]


def links_of(page: Path) -> list[tuple[str, str]]:
    """Relative links of a page outside of code blocks, as pairs of target and anchor."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return [(target, anchor) for target, _, anchor in (link.partition("#") for link in links) if ":" not in target]


def anchors_of(page: Path) -> set[str]:
    """What links can point at in a page: its headings, spelled as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_exit_code_is_unique_and_documented() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert len(set(codes.values())) == len(codes)
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    documented = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)}
    assert documented == codes


def test_the_example_experiment_loads() -> None:
    config = load_config(ROOT / "experiments" / "example" / "config.yaml").config
    assert config.stages[0].negatives == 0.5


def test_the_multi_class_example_loads_with_simulated_data(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "multi-class.md").read_text(), re.DOTALL)
    assert example is not None
    write_simulation(tmp_path / "data" / "ccd", Simulation("ccd", 0, 2, 1, (128, 128)), Silent())
    path = tmp_path / "experiments" / "ccd" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(example[1])
    config = load_config(path).config
    assert config.task_classes.names == CCD_CLASSES
    assert find_labelled(config).read_labels("00001").max() < len(CCD_CLASSES)


def test_the_documented_recipe_has_every_key() -> None:
    example = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "recipes.md").read_text(), re.DOTALL)
    assert example is not None
    tree = json.loads(example[1])
    assert recipe_to_plain(recipe_from_plain(tree)) == tree


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target, anchor in links_of(page):
        path = page.parent / target if target else page
        assert path.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors_of(path), f"{page.name}: {target}#{anchor}"


def test_every_page_is_linked_from_the_readme_or_the_house() -> None:
    entrances = [ROOT / "README.md", DOCS / "house.md"]
    linked = {(page.parent / target).resolve() for page in entrances for target, _ in links_of(page)}
    assert [page.name for page in DOCS.glob("*.md") if page.resolve() not in linked] == []


def test_every_room_is_in_the_tree_and_the_picture_of_the_house() -> None:
    page = (DOCS / "house.md").read_text()
    rooms = [path for path in (ROOT / "toolkit").rglob("*") if path.is_dir() and (path / "__init__.py").is_file()]
    assert [room.name for room in rooms if f" {room.name}/" not in page] == []
    (picture,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    drawn = set(re.findall(r"\b(\w+) --> (\w+)\b", picture))
    assert {room.name for room in rooms if room.parent.name == "toolkit"} <= {name for arrow in drawn for name in arrow}
    assert not {(end, start) for start, end in drawn} & drawn


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", DOCS / "house.md"], ids=lambda page: page.name)
def test_paths_in_pages_for_contributors_exist(page: Path) -> None:
    text = page.read_text()
    paths = re.findall(r"`((?:toolkit|docs|tests|\.github)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    for name, path in re.findall(r"`(\w+)` (?:in|of) `(toolkit/[\w/]+\.py)`", text):
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{name} in {path}"


def test_make_targets_in_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target for page in PAGES for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert {"demo", "test", "lint", "format"} <= named <= targets


@pytest.mark.parametrize("path", [".pre-commit-config.yaml", ".github/workflows/ci.yml"])
def test_files_for_contributors_are_valid_yaml(path: str) -> None:
    assert read_value((ROOT / path).read_text(), path)


@pytest.mark.parametrize(
    ("page", "names"),
    [("metrics.md", METRICS), ("networks.md", ARCHITECTURES), ("recipes.md", STEPS), ("ensembles.md", VIEWS)],
)
def test_every_name_is_on_its_page(page: str, names: list[str]) -> None:
    text = (DOCS / page).read_text()
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_metrics_with_scores_of_training_images_are_named() -> None:
    """Those that count areas: `global_` stands for all that begin with it."""
    text = " ".join((DOCS / "training.md").read_text().split())
    (sentence,) = re.findall(r"Only metrics of areas have them: ([^.]*)\.", text)
    named = set(re.findall(r"`(\w+)`", sentence))
    built = (build_metric(MetricSpec(name), 1, "sigmoid") for name in METRICS)
    counting = {metric.label for metric in built if metric.counts_areas}
    assert {"global_" if label.startswith("global_") else label.split("(")[0] for label in counting} == named
