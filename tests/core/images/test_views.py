import itertools
import re
from collections.abc import Sequence

import numpy as np
import pytest

from toolkit.core.images.resizing import place
from toolkit.core.images.views import VIEWS, View, parse_views, views_folder, views_name

SETS = pytest.mark.parametrize("views", VIEWS.values(), ids=list(VIEWS))
PRODUCTS = ["flips*scales:0.75,1,1.25", "d4*scales:0.5,1", "rot90*hflip", "view:rot90@0.75,hflip", "scales:0.75,1.25"]
# The NumPy functions of these names, for the height and width of an NHWC batch.
BY_NUMPY = {
    "identity": lambda batch: batch,
    "hflip": lambda batch: np.flip(batch, 2),
    "vflip": lambda batch: np.flip(batch, 1),
    "rot180": lambda batch: np.rot90(batch, 2, axes=(1, 2)),
    "rot90": lambda batch: np.rot90(batch, 1, axes=(1, 2)),
    "rot270": lambda batch: np.rot90(batch, 3, axes=(1, 2)),
    "transpose": lambda batch: np.swapaxes(batch, 1, 2),
    "antitranspose": lambda batch: np.flip(np.swapaxes(batch, 1, 2), (1, 2)),
}


def batch() -> np.ndarray:
    return np.random.default_rng(0).random((3, 5, 7, 2))


def names(views: Sequence[View]) -> list[str]:
    return [view.name for view in views]


@SETS
def test_undoing_a_view_gives_back_the_batch(views: tuple[View, ...]) -> None:
    for view in views:
        assert np.array_equal(view.undo(view.apply(batch())), batch())
        assert np.array_equal(view.apply(view.undo(batch())), batch())
        assert view.apply(batch()).shape[1:3] == view.size((5, 7))


@SETS
def test_the_views_of_a_set_differ(views: tuple[View, ...]) -> None:
    assert len({(view.apply(batch()).shape, view.apply(batch()).tobytes()) for view in views}) == len(views)
    assert len(set(names(views))) == len(views)


def test_views_match_their_names() -> None:
    assert {view.name for view in VIEWS["d4"]} == set(BY_NUMPY)
    for view in VIEWS["d4"]:
        assert np.array_equal(view.apply(batch()), BY_NUMPY[view.name](batch()))


@SETS
def test_the_identity_comes_first(views: tuple[View, ...]) -> None:
    assert views[0].name == "identity"


def test_sets_have_the_views_of_their_names() -> None:
    assert {name: len(views) for name, views in VIEWS.items()} == {
        "none": 1, "hflip": 2, "vflip": 2, "flips": 4, "rot180": 2, "rot90": 4, "d4": 8,
    }  # fmt: skip
    assert names(VIEWS["flips"]) == ["identity", "hflip", "vflip", "rot180"]


@SETS
def test_sets_are_closed_under_composition(views: tuple[View, ...]) -> None:
    for first, second in itertools.product(views, repeat=2):
        both = first.then(second)
        assert both in views
        assert np.array_equal(both.apply(batch()), second.apply(first.apply(batch())))
    for first, second, third in itertools.product(views, repeat=3):
        assert first.then(second).then(third) == first.then(second.then(third))


@SETS
def test_the_mean_over_a_set_is_equivariant(views: tuple[View, ...]) -> None:
    uneven = np.random.default_rng(1).random((7, 7, 2))

    def predict(images: np.ndarray) -> np.ndarray:
        """A stand-in for a network whose output depends on the position of a pixel."""
        _, height, width, _ = images.shape
        return np.cumsum(images * uneven[:height, :width], axis=1) + np.cumsum(images, axis=2)

    def averaged(images: np.ndarray) -> np.ndarray:
        return np.mean([view.undo(predict(view.apply(images))) for view in views], axis=0)

    for view in views:
        np.testing.assert_allclose(averaged(view.apply(batch())), view.apply(averaged(batch())), rtol=1e-12)


# How sets are written


@pytest.mark.parametrize("text", [*VIEWS, *PRODUCTS])
def test_names_of_sets_are_parsed_back(text: str) -> None:
    views = parse_views(text)
    assert parse_views(views_name(views)) == views
    assert views_name(views[::-1]) == views_name(views)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("none", "none"),
        ("none*none", "none"),
        ("hflip*hflip", "hflip"),
        ("hflip*vflip", "flips"),
        ("ttflips", "flips"),
        ("ttflips*scales:0.75,1", "flips*scales:0.75,1"),
        ("vflip * hflip", "flips"),
        ("rot180*hflip", "flips"),
        ("rot90*hflip", "d4"),
        ("view:identity,transpose*flips", "d4"),
        ("d4*d4", "d4"),
        ("scales:1", "none"),
        ("scales:1.0,1", "none"),
        ("scales:1.25,1,0.750", "scales:0.75,1,1.25"),
        ("scales:1,0.75*flips", "flips*scales:0.75,1"),
        ("scales:1,2*scales:0.5,1", "scales:0.5,1,2"),
        ("view:identity,hflip", "hflip"),
        ("view:hflip", "view:hflip"),
        ("view:identity@0.75", "scales:0.75"),
        ("view:hflip,rot90@0.75,hflip@1", "view:hflip,rot90@0.75"),
        ("view:hflip*scales:0.5", "view:hflip@0.5"),
        ("view:hflip*hflip", "hflip"),
    ],
)
def test_every_set_has_one_canonical_name(text: str, name: str) -> None:
    assert views_name(parse_views(text)) == name


@pytest.mark.parametrize(("first", "second"), [*itertools.combinations([*VIEWS, "scales:0.5,1,2"], 2)])
def test_products_of_named_sets_do_not_depend_on_the_order(first: str, second: str) -> None:
    product = parse_views(f"{first}*{second}")
    assert product == parse_views(f"{second}*{first}")
    assert {*parse_views(first), *parse_views(second)} <= set(product)


def test_ttflips_is_the_mean_of_the_image_both_flips_and_both_at_once() -> None:
    turned = [lambda x: x, lambda x: x[:, :, ::-1], lambda x: x[:, ::-1], lambda x: x[:, ::-1, ::-1]]
    weights = np.random.default_rng(0).random((4, 6, 1))

    def predict(images: np.ndarray) -> np.ndarray:
        return images * weights

    image = np.random.default_rng(1).random((1, 4, 6, 1))
    expected = sum(turn(predict(turn(image))) for turn in turned) / 4
    views = parse_views("ttflips")
    assert len(views) == 4
    np.testing.assert_allclose(np.mean([view.undo(predict(view.apply(image))) for view in views], axis=0), expected)


def test_products_have_no_duplicates() -> None:
    product = parse_views("flips*scales:0.75,1,1.25")
    assert len(product) == len(set(product)) == 12
    assert product[0] == View()
    assert {view.scale for view in product} == {0.75, 1, 1.25}
    assert len(parse_views("d4*flips*hflip*scales:1")) == 8


def test_single_views_keep_their_order_in_a_product() -> None:
    assert names(parse_views("view:rot90*view:hflip")) == ["antitranspose"]
    assert names(parse_views("view:hflip*view:rot90")) == ["transpose"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fips", "'fips' is not valid; did you mean 'flips'? choose from none, hflip"),
        ("FLIPS", "did you mean 'flips'?"),
        ("", "'' is not valid"),
        ("flips*", "'' is not valid"),
        ("flips*rot9", "'rot9' is not valid; did you mean 'rot90'?"),
        ("scale:1,2", "did you mean 'scales:'?"),
        ("scales", "did you mean 'scales:'?"),
        ("scales:", "received ''"),
        ("scales:1,", "received ''"),
        ("scales:big", "expected a number as scale, for example 0.75, received 'big'"),
        ("scales:0", "from 0.25 to 4, received 0"),
        ("scales:-1", "received -1"),
        ("scales:nan", "received nan"),
        ("scales:inf", "received inf"),
        ("scales:2*scales:3", "received 6"),
        ("view:hflp", "'hflp' is not valid; did you mean 'hflip'? choose from identity"),
        ("view:hflip@", "received ''"),
        ("view:", "'' is not valid"),
    ],
)
def test_invalid_sets_are_rejected(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_views(text)


def test_folder_names_are_safe_and_unique() -> None:
    texts = [*VIEWS, *PRODUCTS, *(f"view:{name}" for name in BY_NUMPY if name != "identity"), "view:hflip@0.75"]
    folders = {views_folder(text) for text in texts}
    assert len(folders) == len({views_name(parse_views(text)) for text in texts})
    assert not set("".join(folders)) & set('*:/\\?"<>| ')
    assert views_folder("scales:1,0.75*flips") == "flips_scales=0.75,1"
    long = "view:" + ",".join(f"{name}@{scale}" for name in BY_NUMPY for scale in (0.5, 1.5))
    assert len(views_folder(long + ",hflip")) < 60
    assert views_folder(long + ",hflip") != views_folder(long + ",vflip")


# Scales


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("view", VIEWS["d4"], ids=names(VIEWS["d4"]))
@pytest.mark.parametrize("shape", [(48, 72), (64, 96), (80, 120)])
def test_scaled_views_are_undone_to_the_image_size(view: View, shape: tuple[int, int], resize: str) -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    image[10:25, 20:40] = 200
    placement = place((40, 50), (64, 96), resize).at(shape)
    seen = view.apply(placement.image(image)[None])
    assert seen.shape == (1, *view.size(shape), 3)
    back = placement.undo(view.undo(seen)[0].astype(np.float32))
    assert back.shape == image.shape
    error = np.abs(back - image).mean()
    assert error < 8
    if resize == "pad" and shape == (64, 96):
        assert error == 0


def test_other_names_of_sets_are_offered_too() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'ttflips'\? choose from none, .*ttflips"):
        parse_views("ttflip")
