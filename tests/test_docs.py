import json
import re
from pathlib import Path

from toolkit import errors
from toolkit.config.loading import load_config
from toolkit.core.recipe.postprocess import recipe_from_plain, recipe_to_plain
from toolkit.core.simulated.ccd import CCD_CLASSES
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.simulated import Simulation, write_simulation
from toolkit.messages import Silent

ROOT = Path(__file__).parents[1]


def test_every_exit_code_is_documented_and_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert len(set(codes.values())) == len(codes)
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    documented = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)}
    assert documented == codes


def test_the_example_experiment_loads() -> None:
    config = load_config(ROOT / "experiments" / "example" / "config.yaml").config
    assert config.stages[0].negatives == 0.5


def test_the_example_of_several_classes_loads_with_what_is_simulated(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "multi-class.md").read_text(), re.DOTALL)
    assert example is not None
    write_simulation(tmp_path / "data" / "ccd", Simulation("ccd", 0, 2, 1, (128, 128)), Silent())
    path = tmp_path / "experiments" / "ccd" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(example[1])
    config = load_config(path).config
    assert config.task_classes.names == CCD_CLASSES
    assert find_labelled(config).read_labels("00001").max() < len(CCD_CLASSES)


def test_the_recipe_of_the_documentation_spells_out_every_key() -> None:
    example = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "recipes.md").read_text(), re.DOTALL)
    assert example is not None
    tree = json.loads(example[1])
    assert recipe_to_plain(recipe_from_plain(tree)) == tree


def test_links_in_the_readme_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
