from pathlib import Path

import pytest

from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.errors import ConfigError

DATA = 'images: a, masks: b, image_id: "{case}_{slice}", image_name: "{case}/{slice}.png"'


def load(tmp_path: Path, neighbours: str, *, shape: int = 3, more: str = "") -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"data:\n  {{{DATA}{more}, neighbours: {{{neighbours}}}}}\nshape: [32, 32, {shape}]\nstages: [{{epochs: 1}}]\n"
    )
    return load_config(path).config


def test_the_place_of_the_slice_itself_and_the_names_are_known(tmp_path: Path) -> None:
    spec = load(tmp_path, "offsets: [2, -1, 0], order_by: slice, group_by: [case, slice]").data.neighbours
    assert spec is not None
    assert spec.own == 2
    assert spec.names == (("order_by", "slice"), ("group_by", "case"), ("group_by", "slice"))
    assert (spec.edges, spec.gaps) == ("repeat", "error")


@pytest.mark.parametrize(
    ("neighbours", "shape", "more", "message"),
    [
        ("offsets: [], order_by: slice", 3, "", "offsets: expected at least 1 entry, received 0"),
        ("offsets: [-1, 1], order_by: slice", 2, "", "offsets: expected 0 among the offsets"),
        ("offsets: [0, 0], order_by: slice", 2, "", "offsets: expected different offsets, received 0 several times"),
        ("offsets: [0, 0.5], order_by: slice", 2, "", r"offsets.1: expected a whole number"),
        ("offsets: [0, 1], order_by: slice", 3, "", r"offsets: .* last entry of shape must be 2, 4, 6, …; received"),
        ("offsets: [0]", 3, "", "required key data.neighbours.order_by is missing"),
        (
            "offsets: [0], order_by: z",
            3,
            "",
            r"order_by: 'z' is no part of image_id \(case, slice\), and data.metadata",
        ),
        ("offsets: [0], order_by: slice, group_by: day", 3, "", "group_by: 'day' is no part of image_id"),
        ("offsets: [0], order_by: {pattern: a}", 3, "", "order_by.*: 'a' has no group"),
        ("offsets: [0], order_by: slice, edges: drop", 3, "", "edges: expected one of repeat, leave_out|edges"),
        ("offset: [0], order_by: slice", 3, "", "key 'offset' is not valid; did you mean 'offsets'"),
        (
            "offsets: [0], order_by: slice",
            3,
            ", external_negatives: c",
            "neighbours: is not possible with external_neg",
        ),
    ],
)
def test_contradictions_name_the_line_and_the_key(
    tmp_path: Path, neighbours: str, shape: int, more: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(tmp_path, neighbours, shape=shape, more=more)
    assert "config.yaml:2" in caught.value.message


def test_columns_are_looked_up_when_there_is_a_table(tmp_path: Path) -> None:
    assert load(tmp_path, "offsets: [0], order_by: z", more=", metadata: c.csv").data.neighbours is not None


def test_a_source_of_the_user_makes_its_own_channels(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data: {source: own.Scans, neighbours: {offsets: [0], order_by: z}}\nstages: [{epochs: 1}]\n")
    with pytest.raises(ConfigError, match="provides images and masks; remove neighbours"):
        load_config(path)
