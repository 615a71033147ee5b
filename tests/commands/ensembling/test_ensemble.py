"""Covers toolkit/commands/ensembling/ensemble.py, blending.py, member_scores.py and weight_search.py."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from toolkit import console
from toolkit.commands.ensembling import blending
from toolkit.commands.ensembling.ensemble import EnsembleResult, default_name, ensemble
from toolkit.commands.ensembling.member_scores import MemberScore, Verdict
from toolkit.commands.ensembling.view_search import ViewSearch
from toolkit.commands.ensembling.weight_search import SearchScores
from toolkit.commands.session import Session
from toolkit.config.loading import load_config, load_ensemble, plain_config
from toolkit.config.members import parse_member
from toolkit.core.ensembling.means import MEANS, Mean
from toolkit.core.tuning.fold_means import FoldSpread
from toolkit.errors import ChangedError, ConfigError, MembersError
from toolkit.files.datasets.dataset import find_dataset
from toolkit.files.datasets.truth import truth_of
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.resolved import Resolved, read_resolved, write_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, is_made_from
from toolkit.messages import Silent

IDS = tuple("abcdefgh")
SIZE = (6, 8)
CONFIG = """\
data: {images: ../../images, masks: ../../masks}
architecture: ModularUnet
backbone: null
shape: [32, 32, 3]
folds_count: 2
stages: [{epochs: 1}]
"""
TRUTH = np.zeros((*SIZE, 1), np.float32)
TRUTH[:3] = 1


@pytest.fixture
def fitted(tmp_path: Path) -> Callable[..., Experiment]:
    """Makes an experiment as if it had been fitted, on eight images whose upper half is foreground."""
    for image_id in IDS:
        for folder, pixels in (
            ("images", np.random.default_rng(ord(image_id)).integers(0, 256, (*SIZE, 3), np.uint8)),
            ("masks", TRUTH[..., 0].astype(np.uint8)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{image_id}.png"), pixels)

    def fitted(name: str, probability: np.ndarray, lines: str = "", plugins: str = "") -> Experiment:
        experiment = Experiment(tmp_path / "experiments" / name)
        experiment.folder.mkdir(parents=True)
        experiment.config.write_text(CONFIG + lines)
        if plugins:
            experiment.plugins.write_text(plugins)
        config = load_config(experiment.config).config
        digests = find_dataset(config, Silent()).digests
        write_resolved(experiment, Resolved(plain_config(config, experiment.folder), digests, "float32", {}))
        write_folds(experiment.folds, IDS, np.array([0, 1] * 4))
        with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"from": name}) as writer:
            for number, image_id in enumerate(IDS):
                writer.append(image_id, probability[number] if probability.ndim == 4 else probability)
        return experiment

    return fitted


def make(tmp_path: Path, *names: str, **options: Any) -> EnsembleResult:
    return ensemble(Session(Workspace(tmp_path)), names, **options)


HALF_RIGHT = np.zeros((*SIZE, 1), np.float32)
HALF_RIGHT[:3, :4] = 1


def test_the_best_member_is_the_one_with_the_highest_score(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    fitted("good", 0.9 * TRUTH)
    fitted("bad", 0.2 * HALF_RIGHT)
    result = make(tmp_path, "good", "bad")
    assert [member.plain for member in result.members] == [1, 0]
    assert result.direction == "max"
    assert result.all == pytest.approx(2 / 3)  # half of the truth, where both agree
    told = "the ensemble is worse than its best member, good: 0.6667 against 1.0000, -0.3333 ± 0.0000"
    assert result.next_steps()[0] == told
    assert result.next_steps()[-1] == "next: tk tune good+bad"


def test_what_was_concluded_from_other_predictions_goes(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    for name, probability in (("good", 0.9 * TRUTH), ("bad", 0.2 * HALF_RIGHT)):
        fitted(name, probability)
    made = Workspace(tmp_path).find(make(tmp_path, "good", "bad").experiment)
    concluded = [made.surface, made.evaluation, made.confusion]
    for path in (*concluded, made.tuned):
        path.write_text("{}")
    make(tmp_path, "good", "bad", weights=[0.9, 0.1])
    assert not any(path.exists() for path in concluded)
    assert made.tuned.exists()  # it names the predictions that it was tuned on, so that it is refused with a reason


ERROR = """\
def error(prediction, truth, valid):
    return float((prediction != truth).mean())


error.direction = "min"
"""


@pytest.mark.train
def test_where_less_is_better_the_best_member_is_the_one_with_the_lowest(
    fitted: Callable[..., Experiment], tmp_path: Path
) -> None:
    left, right = TRUTH.copy(), TRUTH.copy()
    left[:3, :4], right[:3, 6:] = 0.4, 0.4
    for name, probability in (("left", left), ("right", right)):
        fitted(name, probability, "primary_metric: error\n", ERROR)
    result = make(tmp_path, "left", "right")
    assert [member.plain for member in result.members] == [12 / 48, 6 / 48]
    assert result.all == 0  # each member is sure where the other one is not
    assert result.direction == "min"
    told = "the ensemble is better than its best member, right: 0.0000 against 0.1250, -0.1250 ± 0.0000"
    assert told in result.next_steps()


def test_scores_that_do_not_exist_are_shown_and_told_as_none(
    fitted: Callable[..., Experiment], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The images of fold 1 have neither truth nor prediction, and are skipped."""
    for image_id in "bdfh":
        cv2.imwrite(str(tmp_path / "masks" / f"{image_id}.png"), np.zeros(SIZE, np.uint8))
    for name in ("one", "two"):
        fitted(name, 0 * TRUTH, "primary_metric: {dice: {empty: skip}}\n")
    result = make(tmp_path, "one", "two")
    console.show_result(result, as_json=True)
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["folds"] == [0, None]
    assert told["all"] == 0


def result_of(members: list[MemberScore], direction: str = "max", views: str = "hflip") -> EnsembleResult:
    verdict = Verdict("a", None, 0.5, None, None, "cannot tell")
    return EnsembleResult(
        "a+b", "m", direction, 3, views, "logit", members, [None, 0.25], None, (None, None), verdict, None, None, "x",
    )  # type: ignore[arg-type] # fmt: skip


def test_a_result_without_scores_can_be_shown() -> None:
    members = [
        MemberScore("a", 1.0, None, None, (None, None), 4),
        MemberScore("b:fold0", 0.0, None, 0.5, (0.4, 0.6), 2),
    ]
    (table,) = result_of(members).tables()
    assert table.title == "a+b: out-of-fold m, untuned, mean of logits"
    assert list(table.columns) == ["", "weight", "no views", "views: hflip", "95 % interval", "images"]
    assert [row[1:] for row in table.rows] == [
        ("1", "–", "–", "–", "4"),
        ("0", "–", "0.5000", "0.4000 – 0.6000", "2"),
        ("", "", "–", "–", ""),
    ]
    steps = result_of(members).next_steps()
    assert steps[0] == "the ensemble is indistinguishable from its best member, a: – against 0.5000, – ± –"
    (plain,) = result_of(members[:1], views="none").tables()
    assert list(plain.columns) == ["", "weight", "m", "95 % interval"]
    assert {len(row) for row in plain.rows} == {4}


@pytest.mark.parametrize("direction", ["max", "min"])
def test_views_that_worsen_a_score_are_told(direction: str) -> None:
    scores = {"max": (0.6, 0.5), "min": (0.5, 0.6)}[direction]
    members = [MemberScore(name, 1.0, *pair, (0, 1), 4) for name, pair in (("a", scores), ("b", scores[::-1]))]
    steps = result_of(members, direction).next_steps()
    assert steps[0].startswith("the views hflip lower the score of a:")
    assert steps[-1] == "next: tk tune a+b"


@pytest.mark.parametrize("views", ["none", "vflip"])
def test_views_that_were_chosen_are_not_advised_against(views: str) -> None:
    member = MemberScore("a", 1.0, 0.6, 0.5, (0, 1), 4)
    search = ViewSearch("m", 1, [], SearchScores(0.5, 0.5, 0.4, 0.6), [], [], views)
    result = replace(result_of([member], views=views), view_search=search, verdict=None)
    steps = result.next_steps()
    assert steps[0] == search.next_steps()[0]
    assert len(steps) == 3
    assert not any("--views" in step for step in steps)


@pytest.mark.parametrize(
    ("names", "views", "expected"),
    [
        ("a", "flips", "a-flips"),
        ("a:fold0", "none", "a.fold0"),
        ("a:fold0:stage1", "hflip", "a.fold0.stage1-hflip"),
        ("a", "flips*scales:0.75,1", "a-flips_scales-0.75-1"),
        ("a", "view:hflip,rot90@0.75", "a-view-hflip-rot90-0.75"),
        ("a", "auto", "a-auto"),
        ("a", "auto:flips", "a-auto-flips"),
        ("a b", "flips", "a+b"),
    ],
)
def test_an_ensemble_names_itself(tmp_path: Path, names: str, views: str, expected: str) -> None:
    members = [Member(Experiment(tmp_path / name), part) for name, part in map(parse_member, names.split())]
    assert default_name(members, views) == expected
    assert Workspace(tmp_path).place(expected).name == expected


def test_an_ensembles_truth_is_that_of_its_members(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    three = np.concatenate([1 - TRUTH, TRUTH, 0 * TRUTH], axis=2)
    lines = "classes: [sky, road, car]\nloss: categorical_crossentropy\nprimary_metric: miou\nbenchmark_class: road\n"
    members = [fitted(name, three, lines) for name in ("one", "two")]
    result = make(tmp_path, "one", "two")
    made = Workspace(tmp_path).find("one+two")
    truths = [truth_of(each, read_resolved(each)) for each in (*members, made)]
    assert truths[0] == truths[1] == truths[2]
    assert truths[2].rules.benchmark == 1
    assert truths[2].classes.names == ("sky", "road", "car")
    assert result.metric == "miou[road]"
    assert result.all == 1
    assert result.classes == 3
    assert result.next_steps()[-1] == "next: tk tune one+two"
    outer = ensemble(Session(Workspace(tmp_path)), ["one+two"], name="outer")
    assert outer.all == 1
    store = ProbabilityStore(made.predictions("oof"))
    assert np.array_equal(store.read("a"), ProbabilityStore(members[0].predictions("oof")).read("a"))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("primary_metric: iou\n", "fitted to different metrics: dice, iou"),
        ("data: {images: ../../images, masks: ../../masks, mask_values: [1]}\n", "with the same ids but different"),
        ("classes: [a, b]\nloss: categorical_crossentropy\n", "the members differ in classes: one: 1; other: "),
        ("benchmark_class: foreground\n", "the members differ in benchmark_class: one: None; other: foreground"),
    ],
)
def test_members_of_different_tasks_are_refused(
    fitted: Callable[..., Experiment], tmp_path: Path, lines: str, words: str
) -> None:
    fitted("one", TRUTH)
    if lines.startswith("data"):
        experiment = fitted("other", TRUTH, "")
        config = load_config(experiment.config, ["data.mask_values=[1]"]).config
        digests = find_dataset(config, Silent()).digests
        write_resolved(experiment, Resolved(plain_config(config, experiment.folder), digests, "float32", {}))
    else:
        fitted("other", TRUTH, lines)
    with pytest.raises(MembersError, match=words):
        make(tmp_path, "one", "other")


def maps_of(tmp_path: Path, name: str) -> np.ndarray:
    store = ProbabilityStore(Workspace(tmp_path).find(name).predictions("oof"))
    return np.stack([store.read(image_id) for image_id in IDS])


def varied(seed: int, amount: float = 0.3) -> np.ndarray:
    """Predictions of all images, more or less right."""
    noise = np.random.default_rng(seed).normal(0, amount, (len(IDS), *SIZE, 1))
    return np.clip(0.3 + 0.4 * TRUTH + noise, 0, 1).astype(np.float32)


@pytest.mark.train  # takes a second
@pytest.mark.parametrize("mean", MEANS)
def test_the_order_of_members_does_not_matter(fitted: Callable[..., Experiment], tmp_path: Path, mean: Mean) -> None:
    for seed, name in enumerate("xyz"):
        fitted(name, varied(seed))
    one = make(tmp_path, "x", "y", "z", weights=[0.5, 0.2, 0.3], mean=mean, name="one")
    other = make(tmp_path, "z", "x", "y", weights=[0.3, 0.5, 0.2], mean=mean, name="other")
    assert np.array_equal(maps_of(tmp_path, "one"), maps_of(tmp_path, "other"))
    assert one.all == other.all
    assert one.interval == other.interval
    alone = make(tmp_path, "x", mean=mean, name="alone")
    expected = maps_of(tmp_path, "x")
    assert np.array_equal(maps_of(tmp_path, "alone"), 255 * (expected > 127) if mean == "vote" else expected)
    assert alone.verdict is not None
    assert (alone.verdict.word, alone.verdict.difference) == ("cannot tell", 0)


def test_what_an_ensemble_is_made_of_is_recorded(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    for seed, name in enumerate("xy"):
        fitted(name, varied(seed))
    result = make(tmp_path, "x", "y", weights=[3, 1], mean="logit")
    made = Workspace(tmp_path).find("x+y")
    config = load_ensemble(made.config).config
    assert (config.members, config.weights, config.weighting, config.mean) == (("x", "y"), (3, 1), "given", "logit")
    assert ProbabilityStore(made.predictions("oof")).made_from["mean"] == "logit"
    assert read_resolved(made).config["mean"] == "logit"
    assert result.mean == "logit"
    before = maps_of(tmp_path, "x+y")
    make(tmp_path, "x", "y", weights=[3, 1])
    assert not np.array_equal(maps_of(tmp_path, "x+y"), before)


def test_an_earlier_configuration_of_an_ensemble_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("members: [a, b]\nweights: [1.0, 2.0]\nviews: flips\nprimary_metric: dice\n")
    config = load_ensemble(path).config
    assert (config.mean, config.weighting) == ("probability", "given")
    path.write_text(path.read_text().replace("flips", "ttflips"))
    assert load_ensemble(path).config == config


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("members: [a, 'b:fould1']", "'fould1' is not a part of b; did you mean 'fold1'?"),
        ("weights: [1.0]", "expected 2 weights"),
        ("weights: [0.0, 0.0]", "all weights are 0; at least one must be"),
        ("weights: [1.0, -1.0]", "greater than or equal to 0"),
        ("mean: median", "'median' is not valid"),
        ("meen: logit", "did you mean 'mean'?"),
        ("views: flpis", "did you mean 'flips'?"),
    ],
)
def test_a_wrong_configuration_of_an_ensemble_is_told(tmp_path: Path, lines: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    tree = {"members": "members: [a, b]", "weights": "weights: [1.0, 1.0]", "primary_metric": "primary_metric: dice"}
    tree[lines.partition(":")[0]] = lines
    path.write_text("\n".join(tree.values()) + "\n")
    with pytest.raises(ConfigError) as caught:
        load_ensemble(path)
    assert words in str(caught.value)


def test_searched_weights_are_taken_where_they_honestly_gain(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    """A good member, noise, and a twin of the good one."""
    good = varied(0, 0.05)
    fitted("good", good)
    fitted("noise", np.random.default_rng(1).random(good.shape, np.float32))
    fitted("twin", good)
    result = make(tmp_path, "noise", "good", "twin", weights="search", name="found")
    search = result.weight_search
    assert search is not None
    assert search.weights == search.searched == [0, 1, 0]
    assert search.equal == [0.5, 0.5, 0]
    assert search.duplicates == {"twin": "good"}
    assert search.by_fold == [[0, 1, 0]] * 2
    assert search.gain.taken
    assert search.gain.gain is not None
    assert search.scores_of_searched.nested == pytest.approx(search.scores_of_equal.nested + search.gain.gain)
    assert [member.weight for member in result.members] == [0, 1, 0]
    assert np.array_equal(maps_of(tmp_path, "found"), maps_of(tmp_path, "good"))
    made = Workspace(tmp_path).find("found")
    assert load_ensemble(made.config).config.weighting == "search"
    kept = json.loads(made.weight_search.read_text())
    assert kept["searched"] == [0, 1, 0]
    table, _ = result.tables()
    assert [row[0] for row in table.rows[:4]] == ["noise", "good", "twin", "optimistic"]
    assert "twin gets weight 0: its predictions equal those of good" in result.next_steps()
    assert any(step.endswith("exceeds its standard error; using them") for step in result.next_steps())
    make(tmp_path, "noise", "good", "twin", name="found")
    assert not made.weight_search.exists()


def test_errors_of_searches_are_those_of_whole_groups(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    """Images of a group gain alike, so that eight images in two groups are no more evidence than two."""
    good = varied(0, 0.05)
    noise = np.random.default_rng(1).random(good.shape, np.float32)
    noise[::2] = varied(0, 0.1)[::2]  # little to gain in the first fold
    errors = []
    for groups in (None, ("left", "right") * 4):
        for name, maps in (("good", good), ("noise", noise)):
            experiment = Experiment(tmp_path / "experiments" / name)
            if not experiment.folder.exists():
                fitted(name, maps)
            write_folds(experiment.folds, IDS, np.array([0, 1] * 4), groups)
        search = make(tmp_path, "noise", "good", weights="search").weight_search
        assert search is not None
        assert search.gain.standard_error is not None
        errors.append((search.gain.standard_error, search.scores_of_equal.high - search.scores_of_equal.low))
    (error, width), (error_of_groups, width_of_groups) = errors
    assert error_of_groups > 1.5 * error
    assert width_of_groups > 1.2 * width


def test_equal_weights_stay_where_the_gain_may_be_chance(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    left, right = 0.45 * TRUTH, 0.45 * TRUTH  # each is sure of one half, both together of all
    left[:3, :4], right[:3, 4:] = 0.9, 0.9
    for name, probability in (("x", left), ("y", right)):
        fitted(name, probability)
    result = make(tmp_path, "x", "y", weights="search")
    search = result.weight_search
    assert search is not None
    assert not search.gain.taken
    assert search.weights == [1, 1]
    made = Workspace(tmp_path).find("x+y")
    assert load_ensemble(made.config).config.weights == (1, 1)
    assert any(step.endswith("is within noise; keeping equal weights") for step in result.next_steps())
    assert make(tmp_path, "x", "y", name="equal").all == result.all


def test_weights_of_exclusive_classes_are_searched(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    lines = "classes: [sky, road]\nloss: categorical_crossentropy\nprimary_metric: miou\n"
    good, noise = varied(0, 0.1), varied(1, 5)
    for name, road in (("good", good), ("noise", noise)):
        fitted(name, np.concatenate([1 - road, road], axis=3), lines)
    result = make(tmp_path, "good", "noise", weights="search")
    assert result.weight_search is not None
    assert result.weight_search.weights == [1, 0]


def test_a_blend_that_was_killed_goes_on_with_what_is_not_finished(
    fitted: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate("xy"):
        experiment = fitted(name, varied(seed))
        with ProbabilityWriter(experiment.predictions("test"), "uint8", {"from": name}) as writer:
            for image_id in ("s", "t"):
                writer.append(image_id, 0.9 * TRUTH)
    made = Experiment(tmp_path / "experiments" / "x+y")
    append = ProbabilityWriter.append

    def killed(self: ProbabilityWriter, image_id: str, *rest: Any) -> None:
        if image_id == "t":
            raise KeyboardInterrupt
        append(self, image_id, *rest)

    monkeypatch.setattr(blending.ProbabilityWriter, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, "x", "y")
    assert made.predictions("oof").is_dir()
    assert not made.predictions("test").exists()
    assert not made.score.exists()
    monkeypatch.undo()
    finished = made.predictions("oof").stat().st_mtime_ns
    result = make(tmp_path, "x", "y")
    assert made.predictions("oof").stat().st_mtime_ns == finished
    assert ProbabilityStore(made.predictions("test")).ids == ("s", "t")
    made.score.unlink()
    again = make(tmp_path, "x", "y")
    assert made.predictions("oof").stat().st_mtime_ns == finished
    assert again == result


def test_folds_vote_no_more_apart_than_those_of_the_members_on_average(
    fitted: Callable[..., Experiment], tmp_path: Path
) -> None:
    for name, variance in (("x", 0.02), ("y", 0.06), ("z", None)):
        experiment = fitted(name, varied(0))
        with ProbabilityWriter(experiment.predictions("test"), "uint8", {"from": name}) as writer:
            writer.append("a", varied(0)[0])
            writer.fold_spread = None if variance is None else FoldSpread(np.array([variance]))
    make(tmp_path, "x", "y", weights=(3.0, 1.0), name="known")
    made = Workspace(tmp_path).find("known")
    spread = ProbabilityStore(made.predictions("test")).fold_spread
    assert spread is not None
    assert spread.variance == pytest.approx([0.03])
    assert spread.single is spread.mean is None
    assert ProbabilityStore(made.predictions("oof")).fold_spread is None
    make(tmp_path, "x", "z", name="unknown")
    assert ProbabilityStore(Workspace(tmp_path).find("unknown").predictions("test")).fold_spread is None


def test_a_member_that_was_predicted_anew_is_blended_anew(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    members = [fitted(name, varied(seed)) for seed, name in enumerate("xy")]
    make(tmp_path, "x", "y")
    made = Workspace(tmp_path).find("x+y")
    before = maps_of(tmp_path, "x+y")
    with ProbabilityWriter(members[0].predictions("oof"), "uint8", {"from": "anew"}) as writer:
        for image_id in IDS:
            writer.append(image_id, TRUTH)
    with pytest.raises(ChangedError):
        ProbabilityStore(made.predictions("oof"))
    make(tmp_path, "x", "y")
    assert not np.array_equal(maps_of(tmp_path, "x+y"), before)
    made_from = ProbabilityStore(made.predictions("oof")).made_from
    assert is_made_from(made.predictions("oof"), made_from)


def test_what_presence_heads_say_is_averaged(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    for name, presence in (("x", 0.2), ("y", 0.6), ("silent", None)):
        experiment = fitted(name, varied(0))
        with ProbabilityWriter(experiment.predictions("oof"), "uint8", {"from": name}) as writer:
            for image_id in IDS:
                said = None if presence is None else np.array([presence], np.float32)
                writer.append(image_id, TRUTH, said)
    make(tmp_path, "x", "y", "silent", weights=[3, 1, 5], name="some")
    make(tmp_path, "silent", name="none")
    stores = [ProbabilityStore(Workspace(tmp_path).find(name).predictions("oof")) for name in ("some", "none")]
    assert stores[0].presence("a") == pytest.approx([0.3])
    assert stores[1].presence("a") is None


def test_maps_in_half_precision_stay_so_whoever_comes_first(fitted: Callable[..., Experiment], tmp_path: Path) -> None:
    fitted("eight", varied(0))
    half = fitted("half", varied(1))
    with ProbabilityWriter(half.predictions("oof"), "float16", {"from": "half"}) as writer:
        for image_id in IDS:
            writer.append(image_id, 0.3 * TRUTH)
    for names in (("eight", "half"), ("half", "eight")):
        make(tmp_path, *names)
        store = ProbabilityStore(Workspace(tmp_path).find("+".join(names)).predictions("oof"))
        assert store.stored_type == "float16"


def test_what_constant_masks_score_is_shown_and_told_where_it_is_not_beaten(
    fitted: Callable[..., Experiment], tmp_path: Path
) -> None:
    fitted("good", 0.9 * TRUTH)
    fitted("full", np.ones((*SIZE, 1), np.float32))
    good, full = (make(tmp_path, name, name=f"{name}-alone") for name in ("good", "full"))
    for result in (good, full):
        assert result.constant is not None
        assert (result.constant.empty, result.constant.best) == (0, pytest.approx(2 / 3))
        rows = result.tables()[-1].rows
        assert [row[0] for row in rows[-2:]] == ["empty masks", "foreground everywhere"]
        assert {len(row) for row in rows} == {len(result.tables()[-1].columns)}
    told = "not better than masks with foreground everywhere, the same on all images (0.6667)"
    assert not any(told in step for step in good.next_steps())
    assert any(told in step for step in full.next_steps())
