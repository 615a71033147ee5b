"""The page in a real browser: what the sliders show is what recipes and metrics say, and nothing leaves the file."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.core.recipe.recipe import ClassRecipe, Recipe, Triplet
from toolkit.files.experiment.tuned import TestInterval
from toolkit.report.colours import FALSE_NEGATIVE, FALSE_POSITIVE
from toolkit.report.page.blocks import Notice
from toolkit.report.page.values import PageValues

pytestmark = pytest.mark.browser

Open = Callable[[PageValues], Any]
_HOSTILE = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">" \' & \u202eabc\u2028 {{ 7*7 }}'


@pytest.fixture
def opened(browser: Any, written: Callable[[PageValues], Path]) -> Open:
    """Opens the page of values; its scripts have run."""

    def opened(values: PageValues) -> Any:
        browser.get_log("browser"), browser.get_log("performance")
        browser.get(written(values).as_uri())
        is_ready = browser.execute_script("return document.documentElement.dataset.ready") == "yes"
        assert is_ready, browser.get_log("browser")
        return browser

    return opened


def reading(page: Any, name: str) -> float:
    return float(page.execute_script(f"return document.getElementById('live-{name}').dataset.value"))


def slide(page: Any, **places: int) -> None:
    """Move sliders to places, as a hand would."""
    for name, place in places.items():
        page.execute_script(
            "const slider = document.querySelector(arguments[0]);"
            "slider.value = arguments[1]; slider.dispatchEvent(new Event('input', { bubbles: true }));",
            f"#slider-{name.replace('_', '-')} input",
            place,
        )


def mode(page: Any, name: str) -> None:
    page.execute_script(
        "const radio = document.querySelector(`[name=live-mode][value=${arguments[0]}]`);"
        "radio.checked = true; radio.dispatchEvent(new Event('change', { bubbles: true }));",
        name,
    )


def masks_on_page(page: Any, index: int = 0) -> dict[str, list[int]]:
    """The mask of every image for the sliders, as the page computes it."""
    script = (
        "const done = arguments[1];"
        "document.querySelectorAll('#gallery-class').forEach((one) => { one.value = arguments[0]; });"
        "Promise.all(Page.gallery.data.images.map(async (image) => [image.id, Array.from("
        "Page.gallery.mask(image, await Page.gallery.maps(image)))])).then((found) => done(JSON.stringify(found)));"
    )
    return dict(json.loads(page.execute_async_script(script, index)))


def scores_on_page(page: Any) -> dict[str, float | None]:
    script = "return Page.gallery.data.images.map((image) => [image.id, Page.gallery.score(image)])"
    return dict(page.execute_script(script))


def rules_at(page: Any) -> dict[str, Any]:
    return dict(page.execute_script("const one = Page.live.current; return {...one.at, ...one.triplet_at}"))


@pytest.mark.parametrize("metric", ["dice", "iou", "salt_map", "global_dice", "pixel_accuracy"])
def test_sliders_say_exactly_what_the_metric_says(metric: str, made_up: Any, opened: Open) -> None:
    made = made_up(("foreground",), metric)
    values = made.values()
    page = opened(values)
    curve = values.curves.classes[0]
    assert reading(page, "score") == pytest.approx(made.score(made.recipe), abs=1e-12)
    for threshold, minimum in ((127, 0), (40, 5), (200, len(curve.minimums) - 1), (0, 0), (254, 1)):
        slide(page, threshold=threshold, minimum=minimum)
        rule = ClassRecipe(float(curve.thresholds[threshold]), minimum_area=int(curve.minimums[minimum]))
        recipe = Recipe((rule,))
        assert reading(page, "score") == pytest.approx(made.score(recipe), abs=1e-12)
        empty = sum(not made.masks(at, recipe).any() for at in range(12))
        assert reading(page, "empty") == empty
        of_images = made.task.metric.per_image(made.statistics(recipe))
        for at, found in enumerate(scores_on_page(page).values()):
            shown = np.nan if found is None else found
            assert shown == pytest.approx(of_images[at], abs=1e-12, nan_ok=True)
        for at, mask in enumerate(masks_on_page(page).values()):
            assert mask == made.masks(at, recipe).astype(int).ravel().tolist()


def test_triplets_say_exactly_what_the_metric_says(with_triplet: Any, opened: Open) -> None:
    values = with_triplet.values()
    page = opened(values)
    curve = values.curves.classes[0].triplet
    mode(page, "triplet")
    assert reading(page, "score") == pytest.approx(with_triplet.score(with_triplet.recipe), abs=1e-12)
    for bottom, area, top in ((42, 0, 3), (10, len(curve.areas) - 1, 25)):
        slide(page, threshold=bottom, top=top, top_area=area)
        triplet = Triplet(float(curve.tops[top]), int(curve.areas[area]))
        recipe = Recipe((ClassRecipe(float(curve.bottoms[bottom]), triplet=triplet),))
        assert reading(page, "score") == pytest.approx(with_triplet.score(recipe), abs=1e-12)
        assert reading(page, "empty") == sum(not with_triplet.masks(at, recipe).any() for at in range(12))
        for at, mask in enumerate(masks_on_page(page).values()):
            assert mask == with_triplet.masks(at, recipe).astype(int).ravel().tolist()


@pytest.mark.parametrize("metric", ["dice", "global_dice"])
def test_the_score_of_all_classes_follows_the_sliders_of_each(metric: str, made_up: Any, opened: Open) -> None:
    made = made_up(("first", "second", "third"), metric)
    values = made.values()
    page = opened(values)
    assert reading(page, "all") == pytest.approx(made.score(made.recipe), abs=1e-12)
    rules = []
    for index, (threshold, minimum) in enumerate(((90, 3), (127, 0), (180, 6))):
        page.execute_script("Page.live.setClass(arguments[0])", index)
        slide(page, threshold=threshold, minimum=minimum)
        curve = values.curves.classes[index]
        rules.append(ClassRecipe(float(curve.thresholds[threshold]), minimum_area=int(curve.minimums[minimum])))
    recipe = Recipe(tuple(rules))
    assert reading(page, "all") == pytest.approx(made.score(recipe), abs=1e-12)
    by_class = made.task.metric.per_class(made.statistics(recipe))
    assert reading(page, "score") == pytest.approx(by_class[2], abs=1e-12)
    for at, mask in enumerate(masks_on_page(page, 2).values()):
        assert mask == made.masks(at, recipe)[..., 2].astype(int).ravel().tolist()


def test_objects_are_removed_exactly_where_the_metric_counts_them(made_up: Any, opened: Open) -> None:
    made = made_up(("nucleus",), "instance_map")
    values = made.values()
    page = opened(values)
    curve = values.curves.classes[0]
    assert curve.minimum == "minimum_object_size"
    for threshold, minimum in ((9, 0), (3, 4), (1, len(curve.minimums) - 1)):
        slide(page, threshold=threshold, minimum=minimum)
        rule = ClassRecipe(float(curve.thresholds[threshold]), minimum_object_size=int(curve.minimums[minimum]))
        recipe = Recipe((rule,))
        assert reading(page, "score") == pytest.approx(made.score(recipe), abs=1e-12)
        for at, mask in enumerate(masks_on_page(page).values()):
            assert mask == made.masks(at, recipe).astype(int).ravel().tolist()


def test_of_exclusive_classes_each_is_shown_alone_and_the_kept_masks_are_exact(made_up: Any, opened: Open) -> None:
    made = made_up(("background", "road", "tree"), "miou", "softmax")
    page = opened(made.values())
    for index in (1, 2):
        for at, mask in enumerate(masks_on_page(page, index).values()):
            assert mask == made.masks(at, made.recipe)[..., index].astype(int).ravel().tolist()
    assert "compete for pixels" in page.find_element("tag name", "main").text


def test_nothing_leaves_the_file_and_nothing_fails(made_up: Any, opened: Open) -> None:
    page = opened(made_up(("foreground",), "dice").values())
    mode(page, "simple")
    mode(page, "triplet")
    page.execute_script("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    for entry in page.get_log("browser"):
        pytest.fail(f"the console says: {entry['message']}")
    asked = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = {one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"}
    assert {url.partition(":")[0] for url in urls} <= {"file", "data"}
    assert sum(url.startswith("file:") for url in urls) == 1
    assert page.get_cookies() == []


def test_the_policy_stops_other_scripts_and_addresses(made_up: Any, opened: Open) -> None:
    page = opened(made_up(("foreground",), "dice").values())
    script = (
        "const done = arguments[0]; window.refused = []; const code = document.createElement('script');"
        "document.addEventListener('securitypolicyviolation',"
        " (event) => window.refused.push(event.effectiveDirective));"
        "code.textContent = 'window.hacked = 1'; document.body.append(code);"
        "const image = new Image(); image.src = 'https://example.invalid/a.png';"
        "fetch('https://example.invalid/').catch(() => 0);"
        "setTimeout(() => done([window.hacked || 0, window.refused]), 300);"
    )
    hacked, refused = page.execute_async_script(script)
    assert hacked == 0
    assert {"script-src-elem", "img-src", "connect-src"} <= set(refused)
    page.get_log("browser")


def test_images_are_shown_without_curves_too(made_up: Any, opened: Open) -> None:
    made = made_up(("foreground",), "dice")
    page = opened(replace(made.values(), curves=None, missing={"curves": "too slow"}))
    assert "too slow" in page.find_element("id", "threshold").text
    for at, mask in enumerate(masks_on_page(page).values()):
        assert mask == made.masks(at, made.recipe).astype(int).ravel().tolist()
    assert [one["message"] for one in page.get_log("browser")] == []


def test_hostile_names_stay_text(made_up: Any, opened: Open) -> None:
    made = made_up((f"class {_HOSTILE}", "other"), "dice")
    values = made.values(lambda position: f"{position} {_HOSTILE}")
    values = replace(
        values, name=f"exp {_HOSTILE}", doubts=[Notice("error", f"doubt {_HOSTILE}", _HOSTILE)], next_step=_HOSTILE
    )
    page = opened(values)
    page.execute_script("Page.viewer.open(Page.gallery.data.images[0])")
    assert page.execute_script("return window.hacked") is None
    assert page.execute_script("return document.querySelectorAll('script').length") == 2
    assert page.execute_script("return document.querySelectorAll('main img, nav img, dialog img').length") == 0
    assert page.execute_script("return document.querySelector('h1').textContent") == f"exp {_HOSTILE}"
    assert page.execute_script("return document.querySelector('.card .id').textContent").endswith(_HOSTILE)
    assert page.execute_script("return document.querySelector('#viewer-title .id').textContent").endswith(_HOSTILE)
    assert page.execute_script("return document.querySelector('#live-class option').textContent") == f"class {_HOSTILE}"
    assert [one["message"] for one in page.get_log("browser")] == []


def test_drawn_images_follow_the_sliders(made_up: Any, opened: Open) -> None:
    made = made_up(("foreground",), "dice")
    values = made.values()
    page = opened(values)
    curve = values.curves.classes[0]
    page.execute_script("document.documentElement.style.scrollBehavior = 'auto';")
    page.execute_script("document.querySelector('.card').scrollIntoView()")
    area = (
        "const done = arguments[1]; const card = [...document.querySelectorAll('.card')].find("
        "(one) => one.image.id === 'image 0'); card.scrollIntoView();"
        "const wait = () => card.dataset.area === arguments[0] ? done(true) : setTimeout(wait, 20); wait();"
    )
    slide(page, threshold=150, minimum=0)
    recipe = Recipe((ClassRecipe(float(curve.thresholds[150])),))
    assert page.execute_async_script(area, str(int(made.masks(0, recipe).sum())))
    slide(page, threshold=60)
    recipe = Recipe((ClassRecipe(float(curve.thresholds[60])),))
    assert page.execute_async_script(area, str(int(made.masks(0, recipe).sum())))
    # Where the mask is wrong, the picture has the colour of missed or of false pixels.
    pixels = page.execute_script(
        "const card = [...document.querySelectorAll('.card')].find((one) => one.image.id === 'image 0');"
        "const canvas = card.querySelector('[data-layer=errors]');"
        "return Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"
    )
    shown = np.array(pixels, np.int64).reshape(24, 32, 4)[..., :3]
    truth, mask = values.gallery.images[0].planes[0].truth, made.masks(0, recipe)[..., 0]
    false, missed = mask & (truth == 0), ~mask & (truth == 255)
    assert false.any()
    assert np.abs(shown[false] - FALSE_POSITIVE).max() <= 40
    assert not missed.any() or np.abs(shown[missed] - FALSE_NEGATIVE).max() <= 40


def test_images_are_filtered_and_sorted(made_up: Any, opened: Open) -> None:
    made = made_up(("foreground",), "dice")
    page = opened(made.values())

    def shown(**filters: str) -> list[str]:
        for name, value in filters.items():
            page.execute_script(
                "const one = document.getElementById(arguments[0]); one.value = arguments[1];"
                "one.dispatchEvent(new Event('change'))",
                f"gallery-{name}",
                value,
            )
        return list(
            page.execute_script("return [...document.querySelectorAll('.card .id')].map((one) => one.textContent)")
        )

    assert len(shown()) == 12
    scores = made.task.metric.per_image(made.statistics(made.recipe))
    assert [scores[int(one.split()[1])] for one in shown(order="worst")] == sorted(scores)
    assert [scores[int(one.split()[1])] for one in shown(order="best")] == sorted(scores, reverse=True)
    assert {int(one.split()[1]) % 4 for one in shown(truth="empty")} == {3}
    assert {int(one.split()[1]) % 3 for one in shown(truth="", fold="1")} == {1}
    assert all(int(one.split()[1]) < 6 for one in shown(fold="", group="worst"))


def test_an_image_is_enlarged_zoomed_and_blinked_by_keyboard(made_up: Any, opened: Open) -> None:
    from selenium.webdriver.common.by import By  # noqa: PLC0415 # may be missing
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    page = opened(made_up(("foreground",), "dice").values())
    card = page.find_element(By.CSS_SELECTOR, ".card button")
    card.send_keys(Keys.ENTER)
    dialog = page.find_element(By.ID, "viewer")
    assert dialog.is_displayed()
    width = "return document.getElementById('viewer-canvas').getBoundingClientRect().width"
    before = page.execute_script(width)
    dialog.send_keys("+")
    assert page.execute_script(width) > 1.4 * before
    layer = "return document.querySelector('[name=viewer-layer]:checked').value"
    dialog.send_keys("b")
    assert page.execute_script(layer) in ("truth", "mask")
    assert page.find_element(By.ID, "viewer-blink").get_attribute("aria-pressed") == "true"
    first = page.find_element(By.CSS_SELECTOR, "#viewer-title .id").text
    dialog.send_keys(Keys.ARROW_RIGHT)
    assert page.find_element(By.CSS_SELECTOR, "#viewer-title .id").text != first
    dialog.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()


def test_controls_have_names_and_text_has_contrast(made_up: Any, opened: Open) -> None:
    page = opened(made_up(("first", "second"), "dice").values())
    unnamed = page.execute_script(
        "return [...document.querySelectorAll('button, select, input')].filter((one) =>"
        " !(one.labels && one.labels.length) && !one.textContent.trim() && !one.getAttribute('aria-label'))"
        ".map((one) => one.outerHTML)"
    )
    assert unnamed == []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        colours = page.execute_script(
            "const style = getComputedStyle(document.documentElement);"
            "return Object.fromEntries(['paper', 'raised', 'ink', 'quiet', 'accent', 'error', 'warning'].map("
            "(name) => [name, style.getPropertyValue('--' + name).trim()]))"
        )
        for name in ("ink", "quiet", "accent", "error", "warning"):
            assert contrast(colours[name], colours["paper"]) >= 4.5, (scheme, name)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


_BEYOND = (
    "return [...document.querySelectorAll('main *, nav *, header *')].filter((one) => !one.closest("
    "'.scroll, canvas, dialog, .unseen, pre, .uplot') && one.getBoundingClientRect().right > innerWidth + 0.5)"
    ".map((one) => one.outerHTML.slice(0, 200))"
)


@pytest.mark.parametrize("width", [1400, 400])
def test_nothing_is_wider_than_the_window(width: int, made_up: Any, opened: Open) -> None:
    values = made_up(("first", "second"), "dice").values()
    ids = tuple(f"{number:064x}" for number in range(9))
    scores = [{f"a class with a long name {number}": 0.5 for number in range(12)}] * 3
    tuned = replace(values.tuned, test_intervals=(TestInterval(100, 0.5, 0.9), TestInterval(30, 0.4, 0.95)))
    doubts = [Notice("note", f"an image: {ids[0]}", "tk data", ids)]
    page = opened(replace(values, doubts=doubts, folds_by_class=scores, tuned=tuned))
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        assert page.execute_script(_BEYOND) == []
        page.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 50))")
        # A table that scrolls in itself says so.
        hints = page.execute_script(
            "return [...document.querySelectorAll('#folds .wide > figcaption')].map((one) =>"
            " getComputedStyle(one, '::after').content)"
        )
        assert hints == ['" ⟷ scrolls sideways"']
        tops = page.execute_script(
            "return [...document.querySelectorAll('.figure')].map((one) => one.getBoundingClientRect().top)"
        )
        assert len(tops) == 5
        assert width < 1400 or len(set(tops)) == 1  # none alone in a second row
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_colours_and_signs_of_the_surface_are_all_in_its_legend(made_up: Any, opened: Open) -> None:
    values = made_up(("foreground",), "dice").values()
    page = opened(replace(values, tuned=replace(values.tuned, by_fold=())))
    shown = "return [...document.querySelectorAll('#surface-legend li:not([hidden])')].map((one) => one.textContent)"
    assert page.execute_script(shown) == ["untuned", "tuned"]
    mode(page, "simple")
    assert page.execute_script(shown) == ["untuned", "tuned", "sliders"]
    # From the lowest to the highest score, every score has a colour of its own.
    low, high, shares = page.execute_script(
        "const grid = Page.surface.grid(); const range = Page.surface.range(grid);"
        "const scores = [...Page.live.current.scores].sort((one, other) => one - other);"
        "return [range[0], range[2], scores.map((one) => [one, Page.surface.share(one, range)])]"
    )
    scores = values.curves.classes[0].scores
    assert (low, high) == pytest.approx((scores.min(), scores.max()))
    assert (shares[0][1], shares[-1][1]) == pytest.approx((0, 1))
    distinct = sorted({tuple(pair) for pair in shares})
    assert all(one[1] < other[1] for one, other in pairwise(distinct))


def test_images_have_the_score_and_the_doubt_of_the_chosen_class(made_up: Any, opened: Open) -> None:
    made = made_up(("first", "second"), "dice")
    page = opened(made.values())

    def choose(name: str, value: str) -> None:
        script = "const one = document.getElementById(arguments[0]); one.value = arguments[1];"
        page.execute_script(f"{script} one.dispatchEvent(new Event('change'))", f"gallery-{name}", value)

    def ids() -> list[int]:
        script = "return [...document.querySelectorAll('.card')].map((one) => Number(one.image.id.split(' ')[1]))"
        return list(page.execute_script(script))

    pairs = made.of_classes(made.recipe)
    for index in (1, 0):
        choose("class", str(index))
        assert list(scores_on_page(page).values()) == pytest.approx(pairs[:, index])
        assert [pairs[at, index] for at in ids()] == sorted(pairs[:, index])
        choose("order", "doubt")
        assert {(at + index) % 5 for at in ids()[:2]} == {0}
        choose("group", "label")
        assert {(at + index) % 5 for at in ids()} == {0}
        assert "label in doubt: " + ("first", "second")[index] in page.find_element("class name", "card").text
        choose("group", ""), choose("order", "worst")
    assert "dice of first, " in page.find_element("class name", "card").text


def test_an_image_is_enlarged_beside_its_errors_with_their_colours(made_up: Any, opened: Open) -> None:
    page = opened(made_up(("foreground",), "dice").values())
    done = (
        "const done = arguments[0]; Page.viewer.open(Page.gallery.order[0]); const wait = () =>"
        " document.getElementById('viewer-canvas').dataset.layer === 'errors' ? done() : setTimeout(wait, 20); wait();"
    )
    page.execute_async_script(done)
    assert page.find_element("id", "viewer-image").is_displayed()
    widths = "return ['viewer-image', 'viewer-canvas'].map((id) => document.getElementById(id).clientWidth)"
    one, other = page.execute_script(widths)
    assert one == other > 200
    legend = "return [...document.querySelectorAll('#viewer-legend li:not([hidden])')].map((one) => one.textContent)"
    assert page.execute_script(legend) == ["true positive", "false negative", "false positive", "ignored"]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours `#rrggbb` (WCAG 2)."""

    def lightness(colour: str) -> float:
        parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    low, high = sorted((lightness(one), lightness(other)))
    return (high + 0.05) / (low + 0.05)
