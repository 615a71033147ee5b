from pathlib import Path

import pytest

from toolkit.commands.submitting.preset_option import named_competition
from toolkit.config.data import competitions
from toolkit.config.data.competitions import PLAIN, PRESETS, Competition, cell_reader, find_competition
from toolkit.config.loading import config_from_plain, load_config, plain_config
from toolkit.config.models import Config
from toolkit.config.yaml.named_calls import UnknownNameError
from toolkit.errors import ConfigError, MissingFileError

OWN = """\
name: mine
metric: iou
rows: class
classes: [cat, dog]
columns: [image, pixels]
id: "{class}/{id}.tif"
"""


def load(folder: Path, competition: str, lines: str = "", *overrides: str) -> Config:
    (folder / "exp").mkdir(exist_ok=True)
    path = folder / "exp" / "config.yaml"
    path.write_text(
        f"data:\n  images: a\n  masks: b.csv\n  competition: {competition}\n{lines}stages: [{{epochs: 1}}]\n"
    )
    return load_config(path, overrides).config


def refused(folder: Path, competition: str, lines: str = "") -> str:
    with pytest.raises(ConfigError) as told:
        load(folder, competition, lines)
    return told.value.message


def test_every_preset_is_a_file_of_its_name_and_can_be_loaded(tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / "toolkit" / "config" / "data" / "presets"
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.yaml" for name in PRESETS]
    assert len(PRESETS) >= 12  # an empty folder would leave nothing to check
    for name in PRESETS:
        competition = load(tmp_path, name).data.competition
        assert competition is not None
        assert competition.name == name
        assert competition.page.startswith("https://www.kaggle.com/competitions/")


def test_every_preset_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "competitions.md").read_text()
    rows = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")]
        for line in page.splitlines()
        if "|" in line
    }
    kinds = {"image": "an image", "class": "a class of an image", "object": "an object"}
    for form in [*map(find_competition, PRESETS), PLAIN]:
        _, _, metric, kind, columns, cell, order, empty, size, _ = rows[f"`{form.name}`" if form != PLAIN else "(none)"]
        assert metric == form.metric_spec.label
        assert form.page in page
        assert kind == kinds[form.rows]
        assert columns == ", ".join(form.columns)
        assert cell == f"`{form.id}`"
        assert order == f"{form.pixel_order}s" + (", relative" if form.relative else "")
        assert empty.strip("`") == form.empty
        if form.output_size is not None:
            assert size.startswith(f"{form.output_size[0]}×{form.output_size[1]}")


@pytest.mark.parametrize("name", [*PRESETS, None])
@pytest.mark.parametrize("image_id", ["x", "1.2.840.113", "a.jpg", "a_1", "a.jpg_1", "é (2)", "007"])
def test_the_cells_of_an_image_are_read_as_they_were_written(name: str | None, image_id: str) -> None:
    form = PLAIN if name is None else find_competition(name)
    read = cell_reader(form, form.id, len(form.columns) == 3)
    for class_name in form.classes or (None,):
        cells = form.cells(image_id, class_name)
        assert len(cells) == len(form.columns) - 1
        assert read(cells) == ((image_id, class_name),)


def test_real_cells() -> None:
    def read(name: str, *cells: str) -> tuple[str, str | None]:
        form = find_competition(name)
        (reading,) = cell_reader(form, form.id, len(form.columns) == 3)(cells)
        return reading

    uid = "1.2.276.0.7230010.3.1.4.8323329.6567.1517875198.951391"
    assert read("siim-acr", uid) == (uid, None)
    assert read("severstal", "0002cc93b.jpg_1") == ("0002cc93b", "1")
    assert read("clouds", "0011165.jpg_Fish") == ("0011165", "Fish")
    assert read("airbus", "00a1aab5b.jpg") == ("00a1aab5b", None)
    assert read("carvana", "0004d4463b50_01.jpg") == ("0004d4463b50_01", None)
    assert read("uw-madison", "case123_day20_slice_0001", "stomach") == ("case123_day20_slice_0001", "stomach")
    for name, cells in (
        ("severstal", ["a.jpg_5"]),
        ("clouds", ["a.jpg_fish"]),
        ("airbus", ["a.png"]),
        ("airbus", [""]),
    ):
        with pytest.raises(ValueError, match="received"):
            read(name, *cells)
    with pytest.raises(ValueError, match="expected one of the classes large_bowel, small_bowel, stomach"):
        read("uw-madison", "a", "liver")


@pytest.mark.parametrize("template", ["{id}_{class}", "{class}_{id}", "{id}{class}"])
def test_ambiguous_cells_have_several_readings(template: str) -> None:
    keys = {"metric": "dice", "rows": "class", "columns": ("id", "rle"), "id": template}
    form = Competition.model_validate({"name": "x", "classes": ("sky", "night_sky", "sky_night"), **keys})
    read = cell_reader(form, form.id, False)
    for image_id in ("a", "a_b", "a_night", "night_a", "sky"):
        for name in form.classes:
            readings = read(form.cells(image_id, name))
            assert (image_id, name) in readings
            lengths = [len(str(found)) for _, found in readings]
            assert lengths == sorted(lengths, reverse=True)
            assert all(form.cells(*reading) == form.cells(image_id, name) for reading in readings)
    assert read(form.cells("a_b", "sky")) == (("a_b", "sky"),)


def test_a_preset_gives_the_metric_and_the_classes(tmp_path: Path) -> None:
    assert load(tmp_path, "tgs-salt").primary_label == "salt_map"
    assert load(tmp_path, "vesuvius").primary_label == "fbeta(beta=0.5)"
    config = load(tmp_path, "severstal")
    assert config.task_classes.names == ("1", "2", "3", "4")
    assert config.activation == "sigmoid"
    assert load(tmp_path, "null").primary_label == "dice"


def test_written_keys_take_precedence(tmp_path: Path) -> None:
    assert load(tmp_path, "tgs-salt", "primary_metric: iou\n").primary_label == "iou"
    config = load(tmp_path, "severstal", 'classes: [none, "1", "2", "3", "4"]\n')
    assert config.activation == "softmax"


@pytest.mark.parametrize("lines", ["classes: 4\n", "classes: [a, b, c, d]\n", "classes: 1\n", "activation: softmax\n"])
def test_classes_are_those_of_the_competition(tmp_path: Path, lines: str) -> None:
    assert "the classes of severstal (1, 2, 3, 4), received" in refused(tmp_path, "severstal", lines)


def test_single_keys_of_a_preset_can_be_changed(tmp_path: Path) -> None:
    changed = load(tmp_path, '{extends: tgs-salt, empty: "-1", columns: [a, b]}').data.competition
    assert changed == find_competition("tgs-salt").model_copy(update={"empty": "-1", "columns": ("a", "b")})
    overridden = load(tmp_path, "{extends: tgs-salt}", "", "data.competition.empty=none").data.competition
    assert overridden is not None
    assert overridden.empty == "none"


def test_a_path_is_relative_to_the_file_that_contains_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text(OWN)
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "theirs.yaml").write_text('extends: ../mine.yaml\nempty: "-"\n')
    for text in ("../mine.yaml", "theirs.yaml", "{extends: theirs.yaml}"):
        found = load(tmp_path, text).data.competition
        assert found is not None
        assert found.cells("x", "dog") == ("dog/x.tif",)
        assert found.empty == ("" if "mine" in text else "-")
    monkeypatch.chdir(tmp_path)
    assert load(tmp_path, "null", "", "data.competition=mine.yaml").primary_label == "iou"
    assert find_competition("mine.yaml").name == "mine"


def test_a_configuration_keeps_the_whole_competition(tmp_path: Path) -> None:
    config = load(tmp_path, "{extends: severstal, empty: none}")
    assert config_from_plain(plain_config(config, tmp_path), tmp_path) == config


def test_the_nearest_name_is_suggested(tmp_path: Path) -> None:
    assert "config.yaml:4: data.competition: 'tgs-slat' is not valid; did you mean 'tgs-salt'?" in refused(
        tmp_path, "tgs-slat"
    )
    assert "config.yaml:4: data.competition.extends: 'tgs' is not valid" in refused(tmp_path, "{extends: tgs}")
    found = refused(tmp_path, "{extends: tgs-salt, emtpy: x}")
    assert "config.yaml:4: data.competition: key 'emtpy' is not valid; did you mean 'empty'?" in found
    assert "data.competition.rows: 'picture' is not valid" in refused(tmp_path, "{extends: tgs-salt, rows: picture}")
    assert "'dcie' is not valid; did you mean 'dice'" in refused(tmp_path, "{extends: tgs-salt, metric: dcie}")
    assert "data.competition: expected" in refused(tmp_path, "3")
    assert "data.competition.empty: expected text, received -1" in refused(tmp_path, "{extends: tgs-salt, empty: -1}")
    with pytest.raises(UnknownNameError):
        find_competition("tgs")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (OWN + "emtpy: x\n", "mine.yaml:7: key 'emtpy' is not valid; did you mean 'empty'?"),
        ("extends: severstl\n", "mine.yaml:1: extends: 'severstl' is not valid; did you mean 'severstal'?"),
        ("extends: mine.yaml\n", "mine.yaml:1: extends: these files extend each other"),
        ("extends: 3\n", "mine.yaml:1: extends: expected the name of a competition"),
        ("name: mine\nmetric: dice\n", "required key columns is missing"),
        ("- a\n", "expected `key: value` lines"),
    ],
)
def test_an_invalid_file_is_reported_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    assert problem in refused(tmp_path, "../mine.yaml")


def test_a_missing_file_is_reported_with_key_and_line(tmp_path: Path) -> None:
    missing = tmp_path / "exp" / "nowhere.yaml"
    told = f"config.yaml:4: data.competition: there is no file {missing}"
    assert told in refused(tmp_path, "nowhere.yaml")
    told = f"config.yaml:4: data.competition.extends: there is no file {missing}"
    assert told in refused(tmp_path, "{extends: nowhere.yaml, empty: x}")
    (tmp_path / "mine.yaml").write_text("empty: x\nextends: nowhere.yaml\n")
    told = f"mine.yaml:2: extends: there is no file {tmp_path / 'nowhere.yaml'}"
    assert told in refused(tmp_path, "../mine.yaml").replace("exp/../", "")
    with pytest.raises(MissingFileError, match=r"--competition: cannot read nowhere\.yaml"):
        named_competition("nowhere.yaml")


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"rows": "class"}, "classes: rows: class requires the names"),
        ({"classes": ("a",)}, "classes require rows: class, received rows: image"),
        ({"rows": "class", "classes": ("a", "a"), "id": "{id}{class}"}, "classes: duplicate name in"),
        ({"columns": ("a", "a")}, "columns: duplicate name in"),
        ({"columns": ("a", "b", "c")}, "columns: rows: image requires two columns"),
        ({"columns": ("a",)}, "columns"),
        ({"id": "image"}, r"id: expected \{id\} once"),
        ({"id": "{id}{id}"}, "id: expected"),
        ({"id": "{id}_{class}"}, "id: expected"),
        ({"id": "{id}_{klass}"}, "id: expected"),
        ({"id": "{id"}, "id: expected"),
        ({"rows": "class", "classes": ("a",)}, r"id: expected \{id\} and \{class\}"),
        ({"rows": "class", "classes": ("a",), "columns": ("x", "y", "z"), "id": "{id}_{class}"}, "id: expected"),
        ({"label_id": "x"}, "label_id: expected"),
        ({"label_columns": ("a", "b", "c")}, "label_columns: rows: image requires two columns"),
        ({"output_size": (0, 3)}, "output_size"),
        ({"metric": "dcie"}, "metric"),
    ],
)
def test_contradictory_keys_are_rejected(keys: dict[str, object], where: str) -> None:
    with pytest.raises(ValueError, match=where):
        Competition.model_validate({"name": "mine", "metric": "dice", "columns": ("id", "rle")} | keys)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_cites_the_page_of_its_metric(name: str) -> None:
    text = (Path(competitions.__file__).with_name("presets") / f"{name}.yaml").read_text()
    page = find_competition(name).page
    comment, _, metric = text.partition("metric:")
    assert f"# {page}/overview/evaluation:\n# " in comment
    assert metric


@pytest.mark.parametrize(
    ("stack", "told"), [("case.+", "received 0"), ("(a)(b)", "received 2"), ("(", "invalid regular")]
)
def test_a_pattern_of_stacks_names_them(tmp_path: Path, stack: str, told: str) -> None:
    (tmp_path / "own.yaml").write_text(f"{OWN}stack: '{stack}'\n")
    with pytest.raises(ConfigError, match=told):
        find_competition(str(tmp_path / "own.yaml"))
