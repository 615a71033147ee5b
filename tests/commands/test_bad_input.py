"""Bad input, files and streams of every command, on small experiments that count as finished.

Covers toolkit/commands/session.py.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.small_competition import (
    CONFIG,
    DATA,
    SIZE,
    TEST,
    TRAINING,
    begin,
    draw,
    finish,
    json_of,
    make_competition,
    refused,
    run,
    truth_of,
    write_labels,
)
from toolkit.core.masks.rle import decode, encode
from toolkit.errors import (
    ChangedError,
    ConfigError,
    DataError,
    FoldsError,
    LockedError,
    MembersError,
    MissingFileError,
    NothingToLearnError,
    NotReadyError,
    StorageError,
    SubmissionError,
    ToolkitError,
)
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityWriter


@pytest.fixture(autouse=True)
def competition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_competition()


# Configurations


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("folds_count: 2", "fold_count: 2", ("config.yaml:8", "'fold_count'", "did you mean 'folds_count'")),
        ("epochs: 1", "epoch: 1", ("config.yaml:10", "did you mean 'epochs'")),
        ("lr: 1e-3", "lr: fast", ("config.yaml:7", "lr", "a number", "'fast'")),
        ("lr: 1e-3", "lr: 1e-3\nlr: 1e-4", ("config.yaml:8", "lr")),
        ("lr: 1e-3", "lr: [1e-3", ("config.yaml:", "invalid YAML")),
        ("[32, 32, 3]", "[33, 32, 3]", ("config.yaml:6", "multiples of 32", "[64, 32, 3]")),
        (CONFIG, "", ("config.yaml:1",)),
    ],
    ids=["misspelt key", "misspelt nested key", "wrong type", "key twice", "no YAML", "impossible value", "empty file"],
)
def test_configuration_errors_name_file_and_line(old: str, new: str, words: tuple[str, ...]) -> None:
    begin("new", CONFIG.replace(old, new))
    for command in (("fit", "new"), ("config", "show", "new"), ("new", "x", "--extends", "new")):
        told = refused(ConfigError, *command)
        for word in words:
            assert word in told


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("lr=fast", "--set lr=fast: lr: expected a number"),
        ("folds=3", "did you mean 'folds_count'"),
        ("stages.7.epochs=1", "which has entries 0 to"),
        ("stages.0.epochs", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("lr=[", "invalid YAML"),
    ],
)
def test_override_errors_quote_the_override(override: str, words: str) -> None:
    for command in (("fit", "new"), ("config", "show", "new"), ("new", "x", *DATA)):
        told = refused(ConfigError, *command, "--set", override)
        assert words in told
        assert override in told


@pytest.mark.parametrize("command", ["fit", "tune", "submit", "ensemble"])
def test_an_unknown_experiment_is_answered_with_the_known_ones(command: str) -> None:
    told = refused(MissingFileError, command, "exp042")
    assert "there is no experiment 'exp042'" in told
    assert "existing experiments: new" in told
    assert "tk new exp042" in told


def test_a_file_in_place_of_a_folder_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    finish("a")
    Path("submissions").write_text("a file")
    said = refused(StorageError, "submit", "a", "--threshold", "0.5")
    assert "cannot make the folder submissions: submissions is a file" in said
    Path("elsewhere").mkdir()
    Path("elsewhere/experiments").write_text("a file")
    monkeypatch.chdir("elsewhere")
    options = ("--images", "../data/train/images", "--masks", "../data/train.csv")
    assert "cannot make the folder experiments/x: experiments is a file" in refused(StorageError, "new", "x", *options)


# Data, which fitting checks before anything is trained


def drop_a_label() -> None:
    text = Path("data/train.csv").read_text()
    Path("data/train.csv").write_text("".join(line for line in text.splitlines(True) if not line.startswith("t3")))


def masks_as_files() -> None:
    for image_id in TRAINING:
        draw(Path("data/masks") / f"{image_id}.png", truth_of(image_id))
    begin("new", CONFIG.replace("train.csv", "masks"))


def shrink_a_mask() -> None:
    masks_as_files()
    draw(Path("data/masks/t2.png"), np.ones((16, 12), np.uint8))


def truncate_a_jpeg() -> None:
    path = Path("data/train/images/t1.png")
    path.unlink()
    draw(path.with_suffix(".jpg"))
    content = path.with_suffix(".jpg").read_bytes()
    path.with_suffix(".jpg").write_bytes(content[: len(content) * 3 // 4])


def break_a_test_image() -> None:
    Path("data/test/images/s2.png").write_text("<html>Please log in</html>")


def break_a_link() -> None:
    Path("data/train/images/t6.png").symlink_to("/nowhere/t6.png")
    write_labels(t6="1 1")


def add_a_second_file_of_an_id() -> None:
    draw(Path("data/train/images/t1.jpg"))


def empty_a_folder() -> None:
    for path in Path("data/train/images").iterdir():
        path.unlink()


def make_all_images_constant() -> None:
    for image_id in TRAINING:
        draw(Path("data/train/images") / f"{image_id}.png", np.full(SIZE, 7, np.uint8))


def make_all_masks_empty() -> None:
    write_labels(**dict.fromkeys(TRAINING, "-1"))


def leave_one_positive() -> None:
    write_labels(**dict.fromkeys(TRAINING[:-1], ""))


def repeat_a_row_of_the_sample() -> None:
    with Path("data/sample_submission.csv").open("a") as file:
        file.write("s1,\n")


def write_folds_of_other_images() -> None:
    write_folds(Path("experiments/new/folds.csv"), ["t0", "t1", "x"], np.array([0, 1, 0]))


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (drop_a_label, DataError, ("1 of 6 images", "t3: the mask is missing")),
        (shrink_a_mask, DataError, ("t2: the mask is 16×12, but the image is 12×16",)),
        (truncate_a_jpeg, DataError, ("t1.jpg is truncated",)),
        (
            lambda: write_labels(t4="190 4"),
            DataError,
            ("t4: the run-length encoding is not valid for an image of 12×16", "193", "192"),
        ),
        (lambda: write_labels(t4="5 x"), DataError, ("t4", "'5 x'")),
        (break_a_test_image, DataError, ("data/test/images", "s2.png is not an image")),
        (break_a_link, DataError, ("t6.png cannot be opened", "No such file")),
        (add_a_second_file_of_an_id, DataError, ("data.images", "t1.jpg and t1.png")),
        (empty_a_folder, NothingToLearnError, ("data.images", "data/train/images holds no file")),
        (make_all_images_constant, NothingToLearnError, ("all 6 images", "constant")),
        (make_all_masks_empty, NothingToLearnError, ("all 6 masks", "empty", "data.masks")),
        (leave_one_positive, FoldsError, ("holds out all images with foreground", "none to train on")),
        (repeat_a_row_of_the_sample, SubmissionError, ("sample_submission.csv", "several rows: s1")),
        (write_folds_of_other_images, FoldsError, ("experiments/new/folds.csv", "x", "--restart")),
    ],
    ids=lambda value: value.__name__ if callable(value) and not isinstance(value, type) else "",
)
def test_bad_data_are_reported_before_training(
    damage: Callable[[], None], error: type[ToolkitError], words: tuple[str, ...]
) -> None:
    damage()
    told = refused(error, "fit", "new")
    for word in words:
        assert word in told


def test_all_bad_images_are_reported_at_once() -> None:
    drop_a_label()
    truncate_a_jpeg()
    told = refused(DataError, "fit", "new")
    assert "2 of 6 images" in told
    assert "t1.jpg is truncated" in told
    assert "t3: the mask is missing" in told


def test_masks_with_other_names_are_refused_with_the_line() -> None:
    masks_as_files()
    for image_id in TRAINING:
        (Path("data/masks") / f"{image_id}.png").rename(Path("data/masks") / f"{image_id}_mask.png")
    told = refused(DataError, "fit", "new")
    assert "no image has a mask" in told
    assert "t0_mask" in told
    assert 'mask_name: "{id}_mask.png"' in told


def test_a_missing_folder_is_reported_with_its_key_and_what_exists_of_it() -> None:
    begin("near", CONFIG.replace("data/train/images", "data/trian/images"))
    assert "data/train/images? Paths in a config.yaml are relative" in refused(MissingFileError, "fit", "near")
    begin("new", CONFIG.replace("data/train/images", "data/elsewhere/images"))
    told = refused(MissingFileError, "fit", "new")
    assert "data.images: there is no folder" in told
    assert "data exists; check the rest of the path" in told


def test_more_folds_than_images_are_refused() -> None:
    assert "7 folds require at least 7 images, but there are 6" in refused(
        FoldsError, "fit", "new", "--set", "folds_count=7"
    )


# What is not ready, damaged or held by someone else


def test_commands_in_the_wrong_order_name_the_right_one() -> None:
    assert "Run: tk fit EXPERIMENT" in refused(MissingFileError, "tune")
    for command in (("tune",), ("submit",), ("submit", "--threshold", "0.5"), ("ensemble", "--name", "x")):
        assert "Run: tk fit new" in refused(NotReadyError, *command, "new")
    finish("a")
    told = refused(NotReadyError, "submit")
    assert "using a, the most recently finished experiment" in told
    assert "Run: tk tune a" in told
    assert "Run: tk fit new" in refused(NotReadyError, "ensemble", "a", "new")


def test_an_experiment_without_scores_is_not_submitted() -> None:
    finish("a").score.unlink()
    assert "a is not finished" in refused(NotReadyError, "submit", "a", "--threshold", "0.5")


def test_without_test_images_there_is_nothing_to_submit() -> None:
    data = {"images": "../../data/train/images", "masks": "../../data/train.csv"}
    finish("a", data={**data, "test": None, "sample_submission": None})
    told = refused(NotReadyError, "submit", "a", "--threshold", "0.5")
    assert "data.test is not set" in told
    assert "tk fit a" in told


def test_damaged_predictions_are_reported_with_their_folder() -> None:
    manifest = finish("a").predictions("oof") / "manifest.json"
    finish("b")
    manifest.write_text(manifest.read_text()[:20])
    for command in (("tune", "a"), ("submit", "a", "--threshold", "0.5"), ("ensemble", "a", "b")):
        assert "experiments/a/predictions/oof" in refused(StorageError, *command)


@pytest.mark.parametrize(
    "content",
    [
        '{"recipe": {"classes": [{"threshold": 1.5}]}}',
        '{"recipe": {"classes": [{"treshold": 0.5}]}}',
        '{"recipe": {"classes": [{}, {}]}}',
        '{"recipe": ',
        "{}",
    ],
)
def test_an_invalid_edited_recipe_is_reported(content: str) -> None:
    finish("a").tuned.write_text(content)
    assert "experiments/a/tuned.json is damaged" in refused(StorageError, "submit", "a")


@pytest.mark.parametrize("damage", [drop_a_label, lambda: write_labels(t4="190 4"), truncate_a_jpeg])
def test_data_damaged_after_fitting_are_reported(damage: Callable[[], None]) -> None:
    finish("a")
    damage()
    assert refused(DataError, "tune", "a")


def test_an_experiment_that_another_process_works_on_is_left_alone() -> None:
    finish("a")
    code = (
        "import sys; from pathlib import Path; from toolkit.files.disk.locks import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, "experiments/a/.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        for name in ("fit", "tune"):
            assert "another run is working on experiments/a" in refused(LockedError, name, "a")
        process.communicate()
    assert run("tune", "a")[0] == 0


# Ensembles


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--weights", "0.6"), "expected 2 numbers above 0"),
        (("--weights", "0.6,0.4,1"), "expected 2 numbers above 0"),
        (("--weights", "1,0"), "expected 2 numbers above 0"),
        (("--weights", "-1,2"), "expected 2 numbers above 0"),
        (("--weights", "1,nan"), "expected 2 numbers above 0"),
        (("--weights", "inf,1"), "expected 2 numbers above 0"),
        (("--weights", "half,half"), "comma-separated numbers"),
        (("--weights", ""), "comma-separated numbers"),
        (("--weights", "serch"), "expected equal, search, or comma-separated numbers"),
        (("--mean", "median"), "choose from probability, logit, vote"),
        (("--views", "flpis"), "did you mean 'flips'? choose from none, hflip, vflip, flips"),
        (("--views", "auto:flip"), "--views auto:flip: 'flip' is not valid"),
        (("--views", "auto:none"), "no view but the unchanged image"),
        (("--views", "auto", "--tta"), "--tta"),
        (("--views", "hflip", "--tta"), "--tta"),
        (("--name", "a"), "--name"),
        (("--name", "../x"), "--name"),
        (("--name", "sub/x"), "--name"),
    ],
)
def test_wrong_options_make_no_ensemble(options: tuple[str, ...], words: str) -> None:
    finish("a")
    finish("b")
    assert words in refused(ConfigError, "ensemble", "a", "b", *options)


def test_missing_parts_make_no_ensemble() -> None:
    for name in "abc":
        finish(name)
    assert run("ensemble", "b", "c")[0] == 0
    wrong: list[tuple[str, type[ToolkitError], str]] = [
        ("a:stgae0", ConfigError, "did you mean 'stage0'?"),
        ("a:", ConfigError, "foldN, stageN, snapshots, snapshotN"),
        ("a:fold0:fold1", ConfigError, "one fold only"),
        ("a:fold2", ConfigError, "there is no fold 2; choose from 0 to 1"),
        ("a:stage1", ConfigError, "there is no stage 1; there is only 0"),
        ("a:fold0", NotReadyError, "Run: tk fit a"),
        ("b+c:fold0", ConfigError, "b+c is an ensemble"),
        ("nobody:fold0", MissingFileError, "there is no experiment 'nobody'"),
    ]
    for member, error, words in wrong:
        assert words in refused(error, "ensemble", "b", member), member


def test_members_that_do_not_fit_together_make_no_ensemble() -> None:
    finish("a")
    finish("fewer", ids=TRAINING[:4])
    finish("other", primary_metric="iou")
    finish("untested")
    for path in Path("experiments/untested/predictions/test").iterdir():
        path.unlink()
    Path("experiments/untested/predictions/test").rmdir()
    told = refused(MembersError, "ensemble", "a", "fewer")
    assert "a and fewer were fitted to different images" in told
    assert "t4, t5" in told
    assert "dice, iou" in refused(MembersError, "ensemble", "a", "other")
    assert "tk fit untested" in refused(MembersError, "ensemble", "a", "untested")
    finish("retested", test_ids=TEST[:3])
    assert "different test images" in refused(MembersError, "ensemble", "a", "retested")


def test_data_moved_since_fitting_are_reported() -> None:
    finish("a")
    finish("b")
    Path("data/train").rename("data/elsewhere")
    for command in (("tune", "a"), ("ensemble", "a", "b"), ("fit", "a")):
        assert "data.images: there is no folder" in refused(MissingFileError, *command)


def test_a_member_counts_once_however_it_is_spelled() -> None:
    finish("a")
    for again in ("a", "experiments/a", "experiments/a/config.yaml", str(Path("experiments/a").absolute())):
        assert "a is named twice" in refused(MembersError, "ensemble", "a", again)


def test_an_ensemble_is_not_fitted_and_takes_no_overrides() -> None:
    finish("a")
    finish("b")
    assert run("ensemble", "a", "b")[0] == 0
    assert "a+b is an ensemble" in refused(ConfigError, "fit", "a+b")
    assert "a+b is an ensemble" in refused(ConfigError, "config", "show", "a+b", "--set", "lr=1")


def test_views_need_weights_that_are_still_there() -> None:
    finish("a")
    finish("b")
    assert run("ensemble", "a", "b")[0] == 0
    for members in (("a", "b"), ("a+b", "--name", "x")):
        told = refused(NotReadyError, "ensemble", *members, "--tta")
        assert "weights of fold 0, 1 are missing" in told
        assert "Run: tk fit a" in told


# Submissions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--threshold", "1.5"), ("threshold", "below 1", "1.5")),
        (("--threshold", "-0.1"), ("threshold", "at least 0", "-0.1")),
        (("--threshold", "nan"), ("threshold", "nan")),
        (("--min-area", "-5"), ("area", "-5")),
        (("--threshold", "0.5", "--name", "../x"), ("--name", "'../x'")),
        (("--threshold", "0.5", "--name", "a/b"), ("--name", "'a/b'")),
        (("--threshold", "0.5", "--name", " "), ("--name", "' '")),
        (("--threshold", "0.5", "--name", "x" * 300), ("--name",)),
    ],
)
def test_wrong_options_make_no_submission(options: tuple[str, ...], words: tuple[str, ...]) -> None:
    finish("a")
    kind = SubmissionError if "--name" in options else ConfigError
    told = refused(kind, "submit", "a", *options)
    for word in words:
        assert word in told


def test_a_sample_with_other_ids_makes_no_submission() -> None:
    finish("a")
    sample = Path("data/sample_submission.csv")
    sample.write_text("id,rle_mask\ns0,\ns1.png,\ns9,\n")
    told = refused(SubmissionError, "submit", "a", "--threshold", "0.5")
    assert "1 ids without a test image: s9" in told
    assert str(sample) in told
    repeat_a_row_of_the_sample()
    assert "s1" in refused(SubmissionError, "submit", "a", "--threshold", "0.5")


def test_test_images_missing_from_the_sample_are_reported() -> None:
    finish("a")
    Path("data/sample_submission.csv").write_text("id,rle_mask\ns2.png,\ns1.png,\n")
    code, _, err = run("submit", "a", "--threshold", "0.4")
    assert code == 0
    assert "warning: 2 test images are not in" in err
    assert Path("submissions/a.csv").read_text() == "".join(
        ["id,rle_mask\n", *(f"{one}.png,{encode(truth_of(one))}\n" for one in ("s2", "s1"))]
    )


@pytest.mark.parametrize(
    ("submission", "options", "error", "words"),
    [
        ("s1,1 1\ns2,1 1\n", ("--metric", "dise"), ConfigError, "did you mean 'dice'? choose from dice, iou"),
        (
            "s1,1 1\ns3,1 1\n",
            (),
            SubmissionError,
            "of the other: s2\nsolution.csv has no masks for 1 images of the other: s3",
        ),
        ("s1,1 1\ns2,190 4\n", (), SubmissionError, "s2: run 1 ends at pixel 193"),
        ("s1,1 1\ns2,1 1\ns1,\n", (), SubmissionError, "several rows: s1"),
        ("s1,1 1\ns2,1 1\n", ("--images", "data/tset"), MissingFileError, "--images"),
        ("s1,1 1\ns2,1 1\n", ("--images", "data/train/images"), SubmissionError, "s1, s2"),
        ("s1,1 1\ns2,1 1\n", ("--solution", "nowhere.csv"), MissingFileError, "nowhere.csv"),
    ],
)
def test_scoring_errors_name_the_cause(
    submission: str, options: tuple[str, ...], error: type[ToolkitError], words: str
) -> None:
    Path("a.csv").write_text(f"id,rle_mask\n{submission}")
    Path("solution.csv").write_text("id,rle_mask\ns1,1 1\ns2,1 1\n")
    command = ("score", "a.csv", "--solution", "solution.csv", "--images", "data/test/images", "--metric", "dice")
    assert words in refused(error, *command, *options)


# The way that leads on


def test_from_two_fitted_experiments_to_a_submission() -> None:
    for name in ("a", "b"):
        finish(name)
    averaged = json_of("ensemble", "a", "b", "--weights", "3,1")
    assert averaged["experiment"] == "a+b"
    assert [(member["name"], member["weight"]) for member in averaged["members"]] == [("a", 3), ("b", 1)]
    tuned = json_of("tune")
    assert tuned["experiment"] == "a+b"
    assert tuned["untuned"] == pytest.approx(1 / 6)  # at 0.5 every mask is empty, as one of the six is
    assert tuned["tuned"] == tuned["nested"] == 1
    made = json_of("submit", "--name", "first.csv")
    assert made["path"] == "submissions/first.csv"
    assert made["recipe"] == tuned["recipe"]
    header, *rows = Path("submissions/first.csv").read_text().splitlines()
    assert header == "id,rle_mask"
    assert [row.split(",")[0] for row in rows] == TEST[::-1]
    for row in rows:
        image_id, runs = row.split(",")
        np.testing.assert_array_equal(decode(runs, SIZE), truth_of(image_id))
    provenance = json.loads(Path("submissions/first.json").read_text())
    assert list(provenance) == [
        *("submission", "experiment", "members", "weights", "views", "recipe", "scores", "digests", "versions"),
        "git_commit",
    ]
    assert provenance["submission"] == "first.csv"
    assert provenance["members"] == ["a", "b"]
    assert provenance["weights"] == [3, 1]
    assert provenance["recipe"] == tuned["recipe"]
    assert provenance["scores"] == {
        "metric": "dice", "oof": tuned["tuned"], "untuned": tuned["untuned"], "tuned": 1.0, "nested": 1.0,
    }  # fmt: skip
    assert set(provenance["digests"]) == {"submission", "test_predictions", "oof_predictions"}


def test_every_path_to_an_experiment_makes_the_same_submission() -> None:
    finish("a")
    assert run("submit", "a", "--threshold", "0.4")[0] == 0
    first = Path("submissions/a.csv").read_bytes()
    for path in ("experiments/a", "experiments/a/", "experiments/a/config.yaml", str(Path("experiments/a").absolute())):
        Path("submissions/a.csv").unlink()
        assert json_of("submit", path, "--threshold", "0.4")["experiment"] == "a"
        assert Path("submissions/a.csv").read_bytes() == first


# Streams and interruption


@pytest.mark.train  # starts the program
def test_results_go_to_stdout_and_messages_to_stderr() -> None:
    finish("a")

    def tk(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "toolkit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    submitted = tk("submit", "--threshold", "0.4", "--json")
    assert submitted.returncode == 0
    assert json.loads(submitted.stdout)["rows"] == 4
    assert submitted.stderr == "using a, the most recently finished experiment\n"
    refusal = tk("submit", "new", "--json")
    assert (refusal.returncode, refusal.stdout) == (NotReadyError.exit_code, "")
    assert refusal.stderr == "error: experiments/new has not been fitted yet\nRun: tk fit new\n"


def test_an_interruption_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Workspace) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Workspace, "last_finished", interrupt)
    code, out, err = run("tune")
    assert (code, out) == (130, "")
    assert err.startswith("interrupted")


def test_a_recipe_is_not_tuned_over_other_folds_than_those_trained() -> None:
    experiment = finish("a")
    write_folds(experiment.folds, TRAINING, 1 - np.arange(len(TRAINING)) % 2)
    assert "folds.csv has changed" in refused(ChangedError, "tune", "a")


def test_predictions_of_other_classes_are_not_tuned() -> None:
    experiment = finish("a")
    with ProbabilityWriter(experiment.predictions("oof"), "uint8", {}) as writer:
        for image_id in TRAINING:
            writer.append(image_id, np.zeros((*SIZE, 3), np.float32))
    assert "predicts 3 classes, but a has 1" in refused(ChangedError, "tune", "a")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--steps", "treshold"),
            "'treshold' is not valid; did you mean 'threshold'? choose from threshold, ",
        ),
        (("--steps", "threshold,xyz"), "'xyz' is not valid; choose from threshold"),
        (("--steps", " , "), "no step is named"),
        (("--metric", "dise"), "did you mean 'dice'?"),
        (("--metric", "{fbeta: {beta: -1}}"), "beta"),
    ],
)
def test_invalid_metrics_and_steps_of_tune_are_refused(options: tuple[str, ...], words: str) -> None:
    finish("a")
    assert words in refused(ConfigError, "tune", "a", *options)


def test_a_recipe_of_other_predictions_is_not_submitted() -> None:
    experiment = finish("a")
    run("tune", "a")
    with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"weights": "others"}) as writer:
        for image_id in TRAINING:
            writer.append(image_id, np.zeros((*SIZE, 1), np.float32))
    assert "tuned.json is outdated: the out-of-fold predictions" in refused(ChangedError, "submit", "a")
    run("tune", "a")
    assert run("submit", "a")[0] == 0


@pytest.mark.parametrize(
    ("metric", "label", "untuned"),
    [
        ("global_dice", "global_dice", 0),
        ({"fbeta": {"beta": 2}}, "fbeta(beta=2)", 1 / 6),
        ("val_binary_accuracy", "pixel_accuracy", 1 - 15 * 7 / (6 * 12 * 16)),
        ({"dice": {"empty": "skip"}}, "dice(empty=skip)", 0),
        ("instance_map", "instance_map", 1 / 6),
        ("airbus_f2", "airbus_f2", 1 / 6),
    ],
)
def test_every_metric_is_tuned(metric: object, label: str, untuned: float) -> None:
    """At 0.5 every mask is empty; the faint maps are perfect at lower thresholds."""
    experiment = finish("a", primary_metric=metric)
    tuned = json_of("tune", "a")
    assert tuned["metric"] == label
    assert tuned["untuned"] == pytest.approx(untuned)
    assert tuned["tuned"] == tuned["nested"] == 1
    assert json.loads(experiment.tuned.read_text())["metric"] == label


def test_an_image_with_another_size_than_predicted_is_reported() -> None:
    finish("a")
    draw(Path("data/train/images") / f"{TRAINING[0]}.png", np.zeros((20, 16), np.uint8))
    assert f"{TRAINING[0]} is 20×16 now" in refused(ChangedError, "tune", "a")


def test_a_blend_with_views_is_stale_once_a_member_was_trained_again() -> None:
    members = [finish("a"), finish("b")]
    for member in members:
        for split in ("oof", "test"):
            shutil.copytree(member.predictions(split), member.predictions(split, "flips"))
    assert run("ensemble", "a", "b")[0] == 0
    with ProbabilityWriter(members[0].predictions("test"), "uint8", {"weights": "trained again"}) as writer:
        for image_id in TEST:
            writer.append(image_id, np.zeros((*SIZE, 1), np.float32))
    assert "changed since" in refused(ChangedError, "submit", "a+b", "--threshold", "0.5")
