"""Covers toolkit/commands/inspecting/data.py, data_samples.py and toolkit/report/data_sheet.py."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.inspecting.data import DataResult, examine_data
from toolkit.commands.inspecting.data_samples import choose_samples
from toolkit.commands.session import Session
from toolkit.core.masks.labels import Classes
from toolkit.core.masks.rle import encode
from toolkit.errors import ConfigError, DataError
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.inspection.data_findings import DataFinding
from toolkit.files.inspection.image_facts import ImageFacts

Draw = Callable[..., Path]

SIZE = (32, 48)


def blob(seed: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright ellipse, and where it is."""
    random = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (int(random.integers(8, 40)), int(random.integers(8, 24))), (9, 4), seed * 30.0, 0, 360, 1, -1)
    return np.clip(random.normal(80, 25, size) + 90 * mask, 0, 255).astype(np.uint8), mask


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Writes pixels as an image file, random ones if none are given."""

    def draw(name: str, pixels: np.ndarray | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if pixels is None:
            pixels = np.random.default_rng(list(name.encode())).integers(0, 256, SIZE, np.uint8)
        cv2.imwrite(str(path), pixels)
        return path

    return draw


@pytest.fixture
def blobs(tmp_path: Path, draw: Draw) -> Path:
    """Twelve images with masks, and an experiment `e`."""
    for number in range(12):
        image, mask = blob(number)
        draw(f"data/images/{number:02d}.png", image)
        draw(f"data/masks/{number:02d}.png", mask)
    configure(tmp_path)
    return tmp_path


def configure(root: Path, data: str = "", more: str = "") -> None:
    path = root / "experiments" / "e" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = "images: ../../data/images, masks: ../../data/masks" + (f", {data}" if data else "")
    path.write_text(f"data: {{{keys}}}\nshape: [32, 32, 3]\nfolds_count: 2\n{more}\nstages: [{{epochs: 1}}]\n")


def examined(root: Path) -> DataResult:
    return examine_data(Session(Workspace(root)), "e")


def found(result: DataResult, check: str) -> DataFinding:
    return next(one for one in result.findings if one.check == check)


def checks(result: DataResult, level: str) -> list[str]:
    return [one.check for one in result.findings if one.level == level]


def test_good_data_have_no_errors_and_no_warnings(blobs: Path) -> None:
    result = examined(blobs)
    assert (checks(result, "error"), checks(result, "warning")) == ([], [])
    assert result.exit_code == 0
    assert result.training is not None
    assert result.training.sizes == {"32×48": 12}
    assert result.classes[0].images == 12
    tree = json.loads((blobs / "experiments" / "e" / "data.json").read_text())
    assert tree["training"]["images"] == 12
    sheet = cv2.imread(str(blobs / "experiments" / "e" / "data.png"))
    assert sheet.shape[0] > 200
    assert result.next_steps()[-1] == "next: tk fit e"


@pytest.mark.train  # takes a second
def test_notes_follow_the_network(blobs: Path) -> None:
    def notes(more: str) -> list[str]:
        configure(blobs, "test: ../../data/images", more)
        return [one.message for one in examined(blobs).findings if one.level == "note"]

    told = notes("architecture: Unet")  # whose sides are multiples of 32
    assert sum("images are 32×48, not multiples of 32" in one for one in told) == 1
    assert sum("as pretrained weights require" in one for one in told) == 2
    told = notes("architecture: DeepLabV3\nencoder_weights: null")
    assert not any("multiples" in one for one in told)
    assert sum("because shape asks for three" in one for one in told) == 2
    assert not any("multiples" in one for one in notes("patches: {per_image: 2}"))


def test_unusable_data_have_no_sizes_and_values(blobs: Path, draw: Draw) -> None:
    for path in (blobs / "data" / "masks").iterdir():
        path.unlink()
    last = max((blobs / "data" / "images").iterdir()).name
    draw(f"data/masks/{last}", np.zeros((9, 9), np.uint8))
    result = examined(blobs)
    rows = dict(result.tables()[0].rows)
    assert (rows["sizes"], rows["values"]) == ("–", "–")
    files = found(result, "files")
    assert "data.mask_name" in files.advice
    assert "Repair" not in files.advice
    told = files.in_one_line()
    assert told.endswith("00: the mask is missing; 01: the mask is missing; 02: the mask is missing; …")


def test_all_problems_are_listed_with_their_ids(blobs: Path, draw: Draw) -> None:
    draw("data/images/20.png", np.zeros((9, 9), np.uint8))
    draw("data/masks/21.png", np.zeros((9, 9), np.uint8))
    path = blobs / "data" / "images" / "03.png"
    path.write_bytes(path.read_bytes()[:60])
    configure(blobs, "test: ../../nowhere")
    result = examined(blobs)
    files = found(result, "files")
    assert files.ids == ("03", "20")
    assert "truncated" in files.details[0]
    assert files.details[1] == "20: the mask is missing"
    assert found(result, "pairs").ids == ("21",)
    assert "there is no folder" in found(result, "test data").message
    assert result.exit_code == DataError.exit_code
    assert "fix the errors" in result.next_steps()[-1]


def test_values_without_a_class_are_counted(blobs: Path, draw: Draw) -> None:
    for number in range(3):
        draw(f"data/masks/{number:02d}.png", blob(number)[1] * 7)
    configure(blobs, more="classes: [sky, road]\n")
    files = found(examined(blobs), "files")
    assert files.ids == ("00", "01", "02")
    assert "7 (in 3 masks)" in files.advice
    assert "data.ignore" in files.advice


@pytest.mark.train  # takes a second
def test_duplicates_are_listed_with_their_folds(blobs: Path, draw: Draw) -> None:
    image, mask = blob(0)
    draw("data/images/20.png", image)
    draw("data/masks/20.png", 1 - mask)
    encoded = cv2.imencode(".jpg", blob(1)[0])[1]
    (blobs / "data" / "images" / "21.jpg").write_bytes(encoded.tobytes())
    draw("data/masks/21.png", blob(1)[1])
    draw("data/test/t0.png", blob(2)[0])
    configure(blobs, "test: ../../data/test")
    result = examined(blobs)
    exact = [one for one in result.findings if one.check == "exact duplicates"]
    assert exact[0].ids == ("00", "20")
    assert "have different masks" in exact[1].message
    assert found(result, "near duplicates").details == ("01 = 21",)
    assert found(result, "train and test").ids == ("02",)
    ids = [f"{number:02d}" for number in (*range(12), 20, 21)]
    for folds, level in (({"20": 0, "21": 1}, "note"), ({"20": 1, "21": 0}, "warning")):
        rows = [f"{image_id},{folds.get(image_id, int(image_id) % 2)}" for image_id in ids]
        (blobs / "experiments" / "e" / "folds.csv").write_text("\n".join(["image_id,fold", *rows]) + "\n")
        told = found(examined(blobs), "near duplicates")
        assert told.level == level
        assert ("several folds" in told.message) == (level == "warning")


def test_constant_odd_and_empty_images_are_reported(blobs: Path, draw: Draw) -> None:
    draw("data/images/00.png", np.full(SIZE, 9, np.uint8))
    draw("data/images/01.png", blob(1, (32, 40))[0])
    draw("data/masks/01.png", np.zeros((32, 40), np.uint8))
    result = examined(blobs)
    assert found(result, "constant images").ids == ("00",)
    assert found(result, "sizes").ids == ("01",)
    assert found(result, "empty masks").ids == ("01",)
    assert result.training is not None
    assert (result.training.constant, result.training.empty) == (1, 1)


def test_values_of_twelve_bits_are_warned_of(blobs: Path, draw: Draw) -> None:
    for number in range(12):
        draw(f"data/images/{number:02d}.png", blob(number)[0].astype(np.uint16) * 15)
    assert "value_range: [" in found(examined(blobs), "values").message
    configure(blobs, "value_range: [0, 4095]")
    assert "values" not in checks(examined(blobs), "warning")


def test_inverted_polarity_is_questioned(blobs: Path) -> None:
    configure(blobs, "mask_values: [0]")
    told = found(examined(blobs), "polarity")
    assert told.level == "warning"
    assert "12 of 12" in told.message


@pytest.mark.train  # takes a second
@pytest.mark.parametrize("square", [False, True])
def test_transposed_runs_are_noticed(blobs: Path, draw: Draw, square: bool) -> None:
    size = (32, 32) if square else SIZE
    rows = {}
    for number in range(30):
        image, mask = np.full((2, *size), 0, np.uint8)
        cv2.rectangle(mask, (3 + number % 9, 2), (9 + number % 9, 4 + number % 7), 1, -1)
        image = np.clip(np.random.default_rng(number).normal(80, 9, size) + 90 * mask, 0, 255).astype(np.uint8)
        draw(f"data/images/{number:02d}.png", image)
        rows[f"{number:02d}"] = mask > 0
    for order in ("column", "row"):
        lines = [f"{image_id},{encode(mask, order)}" for image_id, mask in rows.items()]
        (blobs / "data" / "train.csv").write_text("\n".join(["id,rle", *lines]) + "\n")
        path = blobs / "experiments" / "e" / "config.yaml"
        path.write_text(path.read_text().replace("data/masks", "data/train.csv"))
        assert ("pixel order" in checks(examined(blobs), "warning")) == (order == "row")


@pytest.mark.train  # takes a second
def test_run_lengths_that_count_from_zero_are_noticed(blobs: Path, draw: Draw) -> None:
    path = blobs / "experiments" / "e" / "config.yaml"
    path.write_text(path.read_text().replace("data/masks", "data/train.csv"))
    shown = [blob(number, (40, 56)) for number in range(24)]
    for less in (0, 1):
        lines = []
        for number, (image, mask) in enumerate(shown):
            draw(f"data/images/{number:02d}.png", image)
            early = np.roll((mask > 0).ravel(order="F"), -less).reshape(mask.shape, order="F")
            lines.append(f"{number:02d},{encode(early)}")
        (blobs / "data" / "train.csv").write_text("\n".join(["id,rle", *lines]) + "\n")
        assert checks(examined(blobs), "warning") == ["runs"] * less


@pytest.mark.train  # takes a second
def test_transposed_mask_files_and_masks_of_the_next_image_are_noticed(blobs: Path, draw: Draw) -> None:
    shown = [blob(number, (48, 48)) for number in range(24)]
    for saved, check in (
        (lambda number: shown[number][1], ""),
        (lambda number: shown[number][1].T, "transposed masks"),
        (lambda number: shown[(number + 1) % 24][1], "shifted masks"),
        (lambda number: shown[number - 1][1], "shifted masks"),
    ):
        for number, (image, _) in enumerate(shown):
            draw(f"data/images/{number:02d}.png", image)
            draw(f"data/masks/{number:02d}.png", saved(number))
        assert checks(examined(blobs), "warning") == ([check] if check else [])


def test_groups_split_over_folds_are_errors(blobs: Path) -> None:
    configure(blobs, more='groups: {pattern: "(.)."}\n')
    rows = [f"{number:02d},{number % 2}" for number in range(12)]
    (blobs / "experiments" / "e" / "folds.csv").write_text("\n".join(["image_id,fold", *rows]) + "\n")
    told = found(examined(blobs), "folds")
    assert told.level == "error"
    assert "2 groups are split over several folds" in told.message
    (blobs / "experiments" / "e" / "folds.csv").unlink()
    assert not checks(examined(blobs), "error")


def test_errors_of_tk_data_stop_tk_fit_with_the_same_list(
    blobs: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw("data/images/20.png")
    draw("data/images/21.png")
    monkeypatch.chdir(blobs)
    doctor = CliRunner().invoke(app, ["data", "e"])
    assert doctor.exit_code == DataError.exit_code
    fit = CliRunner().invoke(app, ["fit", "e"])
    assert fit.exit_code == DataError.exit_code
    for text in ("2 of 14 images", "20: the mask is missing", "21: the mask is missing"):
        assert text in fit.stderr
    tree = json.loads(CliRunner().invoke(app, ["data", "e", "--json"]).stdout)
    assert tree["findings"][0]["details"] == ["20: the mask is missing", "21: the mask is missing"]


def test_extra_images_are_examined_too(blobs: Path, draw: Draw) -> None:
    draw("data/more/images/a.png", blob(3)[0])
    draw("data/more/masks/a.png", blob(3)[1])
    draw("data/more/images/b.png")
    configure(blobs, "extra_train_data: [{images: ../../data/more/images, masks: ../../data/more/masks}]")
    result = examined(blobs)
    assert found(result, "extra: files").ids == ("b",)
    assert "a of" in found(result, "extra data").details[0]


def test_a_sample_submission_of_other_images_is_an_error(blobs: Path, draw: Draw) -> None:
    draw("data/test/t0.png")
    (blobs / "data" / "sample.csv").write_text("id,rle\nt0,\nt1,\n")
    configure(blobs, "test: ../../data/test, sample_submission: ../../data/sample.csv")
    assert "t1" in found(examined(blobs), "sample submission").message


def test_ensembles_have_no_data_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "experiments" / "e" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("members: [a, b]\nweights: [1, 1]\n")
    with pytest.raises(ConfigError, match="ensemble"):
        examined(tmp_path)


def test_the_sheet_shows_odd_images_and_every_class() -> None:
    facts = [
        ImageFacts(f"{number:02d}", coverage=number / 20, pixels=(number % 2, int(number == 7))) for number in range(20)
    ]
    findings = [DataFinding("warning", "constant images", "", ("04",)), DataFinding("note", "empty masks", "", ("05",))]
    chosen = choose_samples(facts, findings, Classes(("a", "b")))
    assert len(chosen) <= 16
    assert chosen["04"] == "constant images"
    assert chosen["07"] == "of class b"
    assert chosen["00"] == "empty mask"
    assert chosen["19"] == ""  # from the smallest to the largest foreground
    assert len(chosen) == 16
    assert choose_samples(facts[:1], [], Classes(("a", "b"))) == {"00": "empty mask"}


def test_the_sheet_shows_duplicates_together_and_images_of_several_findings_once() -> None:
    facts = [ImageFacts(f"{number:02d}", coverage=0.1 + number / 100, pixels=(7,)) for number in range(30)]
    findings = [
        DataFinding("warning", "exact duplicates", "", ("10", "25", "11", "12")),
        DataFinding("warning", "train and test", "", ("25",)),
        *(DataFinding("warning", f"check {number}", "", (f"{number:02d}", "29")) for number in range(9)),
    ]
    chosen = choose_samples(facts, findings, Classes(("a",)))
    assert list(chosen)[:2] == ["10", "25"]
    assert (chosen["10"], chosen["25"]) == ("exact duplicates", "exact duplicates, train and test")
    assert len(chosen) == 16
    shares = [image_id for image_id, reason in chosen.items() if not reason]
    assert shares == sorted(shares)


def test_invalid_weights_stop_training(blobs: Path) -> None:
    (blobs / "data" / "more.csv").write_text("id,often\n" + "".join(f"{number:02d},nan\n" for number in range(12)))
    configure(blobs, "metadata: ../../data/more.csv, weights: often")
    assert "often of 00 is 'nan'" in found(examined(blobs), "weights").message


def test_images_with_an_orientation_tag_are_reported(blobs: Path) -> None:
    path = blobs / "data" / "images" / "03.png"
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = 3
    Image.open(path).save(path, exif=tag)
    finding = found(examined(blobs), "orientation")
    assert (finding.level, finding.ids) == ("warning", ("03",))


def test_extra_images_like_those_of_folds_are_reported(blobs: Path, draw: Draw) -> None:
    """Also those that no digest finds: one is a little brighter."""
    for number in (1, 20):
        image, mask = blob(number)
        draw(f"data/more/images/x{number}.png", np.minimum(image, 250) + 5)
        draw(f"data/more/masks/x{number}.png", mask)
    configure(blobs, "extra_train_data: [{images: ../../data/more/images, masks: ../../data/more/masks}]")
    finding = found(examined(blobs), "extra and folds")
    assert (finding.level, finding.ids) == ("warning", ("x1",))
