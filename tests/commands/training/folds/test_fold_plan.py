from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.commands.training.folds.fold_plan import plan_folds
from toolkit.config.loading import load_config, plain_config
from toolkit.core.folds.assignment import HOLDOUT, TRAIN
from toolkit.errors import ChangedError, DataError, FoldsError
from toolkit.files.datasets.dataset import Dataset, find_dataset
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable, write_folds
from toolkit.files.experiment.resolved import Resolved, write_resolved
from toolkit.messages import Silent

IDS = [f"{photo}_{patch}" for photo in "abcdefgh" for patch in range(3)]
CONFIG = """\
data: {images: ../../images, masks: ../../masks, metadata: ../../table.csv}
architecture: ModularUnet
backbone: null
shape: [32, 32, 3]
folds_count: 3
stages: [{epochs: 1}]
"""
PATTERN = 'groups: {pattern: "(.)_\\\\d+"}\n'


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Twenty-four images, three patches of each of eight photographs; hospitals and depths in a table."""
    random = np.random.default_rng(0)
    rows = ["image,hospital,depth,patient"]
    for number, image_id in enumerate(IDS):
        mask = np.zeros((8, 8), np.uint8)
        mask[: number % 8] = 1
        for folder, pixels in (("images", random.integers(0, 256, (8, 8, 3), np.uint8)), ("masks", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{image_id}.png"), pixels)
        rows.append(f"{image_id}.png,{'xyz'[number % 3]},{number * 1.5},{'' if number == 3 else image_id[0]}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    found = Experiment(tmp_path / "experiments" / "exp")
    found.folder.mkdir(parents=True)
    return found


Plan = Callable[..., FoldTable]


@pytest.fixture
def plan(experiment: Experiment) -> Plan:
    """Plans the folds of a configuration with some more lines; the images are looked at once."""
    seen: list[Dataset] = []

    def planned(lines: str = "", *, restart: bool = False, keep: bool = False) -> FoldTable:
        base = CONFIG.replace("folds_count: 3\n", "") if "folds_count" in lines else CONFIG
        experiment.config.write_text(base + lines)
        config = load_config(experiment.config).config
        if not seen:
            seen.append(find_dataset(config, Silent()))
        dataset = find_dataset(config, Silent()) if "near" in lines else seen[0]
        table = plan_folds(experiment, config, dataset, Silent(), restart=restart)
        if keep:
            write_folds(experiment.folds, table.ids, table.folds, table.groups)
            write_resolved(experiment, Resolved(plain_config(config, experiment.folder), {}, "float32", {}))
        return table

    return planned


def train(experiment: Experiment) -> None:
    experiment.stage(0, 0).folder.mkdir(parents=True)


def sizes(table: FoldTable) -> list[int]:
    return np.bincount(table.out_of_fold.folds).tolist()


def divided(table: FoldTable) -> set[str]:
    """The photographs whose patches are in several folds."""
    folds = dict(zip(table.ids, table.folds.tolist(), strict=True))
    return {photo for photo in "abcdefgh" if len({folds[f"{photo}_{patch}"] for patch in range(3)}) > 1}


def test_patches_of_one_image_are_never_in_two_folds(plan: Plan) -> None:
    table = plan(PATTERN + "testSplit: 0.25\n")
    assert divided(plan("testSplit: 0.25\n")) != set()
    assert divided(table) == set()
    assert (len(table.holdout.ids), sizes(table)) == (6, [6, 6, 6])
    assert table.groups == tuple(image_id[0] for image_id in IDS)


def test_columns_of_a_table_are_groups_and_strata(plan: Plan) -> None:
    by_depth = plan("stratified: depth\n")
    thirds = by_depth.folds.reshape(8, 3)  # depths rise with the ids
    assert all(sorted(third) == [0, 1, 2] for third in thirds.tolist())
    hospitals = plan("stratified: hospital\n").folds.reshape(8, 3)
    for column in hospitals.T:
        assert np.ptp(np.bincount(column, minlength=3)) <= 1
    both = plan("stratified: [hospital, coverage, classes]\n" + PATTERN)
    assert divided(both) == set()
    with pytest.raises(DataError, match="1 of 24 images have no patient: b_0"):
        plan("groups: patient\n")
    with pytest.raises(DataError, match=r"stratified: .*table.csv: column 'hospitl' is not valid; did you mean"):
        plan("stratified: hospitl\n")


def test_ids_that_do_not_match_the_pattern_are_reported(plan: Plan) -> None:
    with pytest.raises(DataError, match=r"groups: 21 of 24 ids do not match the pattern 'a_\(.\)': b_0, b_1") as told:
        plan('groups: {pattern: "a_(.)"}\n')
    assert "(?:" in told.value.advice


def test_near_duplicates_form_a_group_and_merge_others(plan: Plan, experiment: Experiment) -> None:
    folder = experiment.folder.parents[1] / "images"
    picture = cv2.resize(np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8), (64, 64))
    for image_id, factor in (("a_0", 1.0), ("h_2", 0.8)):
        cv2.imwrite(str(folder / f"{image_id}.png"), (picture * factor).astype(np.uint8))
        cv2.imwrite(str(folder.parent / "masks" / f"{image_id}.png"), np.ones((64, 64), np.uint8))
    alone = plan("group_near_duplicates: true\n")
    assert alone.groups is not None
    assert [name for name in IDS if alone.groups.count(name) > 1] == ["a_0"]
    assert alone.folds[IDS.index("a_0")] == alone.folds[IDS.index("h_2")]
    joined = plan("group_near_duplicates: true\n" + PATTERN)
    assert joined.groups is not None
    assert joined.groups[-1] == joined.groups[0] == "a"
    assert len(set(joined.groups)) == 7


def test_a_single_fold_holds_out_a_part(plan: Plan) -> None:
    table = plan("folds_count: 1\nvalidationSplit: 0.25\ntestSplit: 0.2\n")
    counts = {fold: int((table.folds == fold).sum()) for fold in (HOLDOUT, TRAIN, 0)}
    assert counts == {HOLDOUT: 5, TRAIN: 14, 0: 5}


def test_too_few_groups_are_refused(plan: Plan) -> None:
    with pytest.raises(
        FoldsError, match="folds_count: 3 folds and a hold-out require at least 4 groups, but there are 3"
    ):
        plan("groups: hospital\ntestSplit: 0.1\n")
    with pytest.raises(FoldsError, match="testSplit: folds_count must be from 2 to the number of groups"):
        plan(PATTERN + "folds_count: 7\ntestSplit: 0.4\n")


def test_folds_of_a_file_are_used(plan: Plan, experiment: Experiment) -> None:
    drawn = plan("testSplit: 0.2\n" + PATTERN)
    write_folds(experiment.folder / "mine.csv", drawn.ids, drawn.folds)
    taken = plan("folds: mine.csv\n")
    assert (taken.folds == drawn.folds).all()
    assert taken.groups is None
    assert plan("folds: mine.csv\n" + PATTERN).groups == drawn.groups
    with pytest.raises(FoldsError, match=r"mine.csv: \d groups are split over several folds: [xyz], ") as told:
        plan("folds: mine.csv\ngroups: hospital\n")
    assert told.value.advice.startswith(
        "Fix the file, or to draw new folds, leave out the key folds and run: tk fit exp"
    )
    with pytest.raises(FoldsError, match="expected the folds 0 to 1, received 0, 1, 2"):
        plan("folds: mine.csv\nfolds_count: 2\n")
    train(experiment)
    write_folds(experiment.folds, drawn.ids, np.roll(drawn.folds, 3))
    with pytest.raises(
        ChangedError, match=r"mine.csv has changed since folds were trained: it differs from .*folds.csv in \d+ images"
    ):
        plan("folds: mine.csv\n")
    assert (plan("folds: mine.csv\n", restart=True).folds == drawn.folds).all()


@pytest.mark.parametrize(
    ("lines", "change"),
    [
        ("folds_count: 4\n", "folds_count: 3 → 4"),
        ("stratified: false\n", "stratified: true → false"),
        (PATTERN, "groups: null → "),
        ("group_near_duplicates: true\n", "group_near_duplicates: false → true"),
        ("testSplit: 0.1\n", "testSplit: null → 0.1"),
    ],
)
def test_changed_keys_are_refused_with_the_command_to_run(
    plan: Plan, experiment: Experiment, lines: str, change: str
) -> None:
    plan(keep=True)
    with pytest.raises(FoldsError, match="drawn with other keys: ") as untrained:
        plan(lines)
    train(experiment)
    with pytest.raises(ChangedError, match="trained with other folds") as told:
        plan(lines)
    with pytest.raises(FoldsError, match="drawn with other keys: ") as restarted:
        plan(lines, restart=True)
    for error in (untrained, told, restarted):
        assert change in error.value.message
        assert f"delete {experiment.folds} and run: tk fit exp --restart" in error.value.advice
    experiment.folds.unlink()
    plan(lines, restart=True)


def test_folds_stay_the_same(plan: Plan, experiment: Experiment) -> None:
    drawn = plan(keep=True)
    train(experiment)
    assert (
        plan("seed: 3\n").folds == drawn.folds
    ).all()  # folds.csv is kept; refusing another seed is tested elsewhere
    assert (plan(restart=True).folds == drawn.folds).all()
    experiment.folds.unlink()
    with pytest.raises(FoldsError, match="is missing, but folds were trained with it"):
        plan()


def test_keys_unknown_to_an_earlier_version_are_not_a_change(plan: Plan, experiment: Experiment) -> None:
    plan(keep=True)
    text = experiment.resolved.read_text()
    for key in ("groups", "group_near_duplicates", "testSplit", "testSplitSeed", "validationSplit"):
        text = "".join(line for line in text.splitlines(True) if not line.startswith(f"  {key}:"))
    experiment.resolved.write_text(text)
    train(experiment)
    plan()


def test_a_given_folds_csv_must_agree_with_the_configuration(plan: Plan, experiment: Experiment) -> None:
    write_folds(experiment.folds, IDS, np.array([0, 1, 2, HOLDOUT] * 6))
    with pytest.raises(FoldsError, match="has a hold-out of 6 images, but testSplit is not set") as told:
        plan()
    assert "folds: FILE.csv" in told.value.advice
    assert len(plan("testSplit: 0.25\n").holdout.ids) == 6
    with pytest.raises(FoldsError, match="8 groups are split over several folds: a, b, c"):
        plan("testSplit: 0.25\n" + PATTERN)
    write_folds(experiment.folds, IDS, np.arange(24) % 3)
    with pytest.raises(FoldsError, match=r"has no hold-out, but testSplit is 0\.25"):
        plan("testSplit: 0.25\n")
