"""Covers toolkit/commands/reporting/report.py, page_values.py, measured.py, chosen_images.py, compared_values.py,
ensemble_values.py, origin_values.py and doubts.py: pages of experiments that were really trained."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.commands.ensembling.ensemble import ensemble
from toolkit.commands.inspecting.data import examine_data
from toolkit.commands.inspecting.ls import list_experiments
from toolkit.commands.reporting.doubts import Known, doubts_of
from toolkit.commands.reporting.page_values import page_values
from toolkit.commands.reporting.report import page_at_the_end, report
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.tuning.tune import tune
from toolkit.errors import ConfigError, MissingFileError, StorageError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.score_json import read_score
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent

pytestmark = pytest.mark.train


@pytest.fixture
def workspace(fitted_competition: Workspace, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    return Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "copy")))


def data_of(path: Path) -> dict[str, Any]:
    found = re.search(r'id="page-data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def sections_of(path: Path) -> list[str]:
    return re.findall(r'<section id="(\w+)"', path.read_text("utf-8"))


def test_fit_and_ensemble_have_written_a_page(fitted_competition: Workspace) -> None:
    plain, both = (fitted_competition.find(name) for name in ("plain", "both"))
    assert sections_of(plain.report) == ["answer", "threshold", "images", "folds", "training", "data", "origin"]
    assert sections_of(both.report) == ["answer", "threshold", "images", "folds", "ensemble", "data", "origin"]
    live = data_of(plain.report)["live"]
    assert live["threshold"]["kept"]["score"] == read_score(plain)["all"]
    assert live["threshold"]["images"] == 20


def test_report_false_writes_no_page(workspace: Workspace, write_experiment: Callable[..., Experiment]) -> None:
    quiet = write_experiment(workspace, "quiet", "report: false\n")
    assert fit(Session(workspace), "quiet").page == ""
    assert not quiet.report.exists()
    assert tune(Session(workspace), "quiet", steps="threshold").page == ""
    config = workspace.find("both").config
    config.write_text(config.read_text() + "report: false\n")
    workspace.find("both").report.unlink()
    assert ensemble(Session(workspace), ["plain", "other"], name="both").page == ""
    assert "report: false" in config.read_text()
    assert not workspace.find("both").report.exists()


def test_tuning_updates_the_page(workspace: Workspace) -> None:
    plain = workspace.find("plain")
    result = tune(Session(workspace), "plain")
    assert result.page == str(plain.report)
    assert f"page: {plain.report}" in result.next_steps()
    values = page_values(Session(workspace), plain)
    assert values.tuned is not None
    assert len(values.tuned.by_fold) == len(values.tuned.fold_scores) == 2
    assert values.kept is not None
    expected = result.tuned if result.recipe == result.best else result.untuned
    assert values.kept.score == pytest.approx(expected)
    assert values.next_step == "tk submit plain"
    marks = data_of(plain.report)["live"]["threshold"]["classes"][0]["marks"]
    assert [mark["name"] for mark in marks] == ["untuned", "tuned", "nested", "nested"]


def test_the_same_experiment_makes_the_same_page(workspace: Workspace) -> None:
    one, other = workspace.root / "one.html", workspace.root / "other.html"
    for path in (one, other):
        report(Session(workspace), ["plain"], out=path)
    assert one.read_bytes() == other.read_bytes()


def test_images_are_the_worst_the_median_and_the_best(fitted_competition: Workspace) -> None:
    values = page_values(Session(fitted_competition), fitted_competition.find("plain"))
    gallery = values.gallery
    assert gallery is not None
    assert len({image.image_id for image in gallery.images}) == len(gallery.images) == 20
    worst = [image.kept for image in gallery.images if "worst" in image.groups]
    assert worst == sorted(worst)  # type: ignore[type-var]
    assert all(image.size == (40, 48) for image in gallery.images)
    contradicted = {}
    for image in gallery.images:
        levels, truth = image.planes[0].levels, image.planes[0].truth
        contradicted[image.image_id] = int(((truth == 255) & (levels < 26) | (truth == 0) & (levels >= 230)).sum())
    doubtful = [contradicted[image.image_id] for image in gallery.images if "label" in image.groups]
    others = [contradicted[image.image_id] for image in gallery.images if "label" not in image.groups]
    assert min(doubtful, default=1) >= max(others, default=0) if len(doubtful) == 8 else max(others) == 0


def test_an_ensemble_knows_what_each_member_adds(fitted_competition: Workspace) -> None:
    both = fitted_competition.find("both")
    values = page_values(Session(fitted_competition), both)
    assert values.ensemble is not None
    plain, other = values.ensemble.members
    assert (plain.name, plain.weight, other.weight) == ("plain", 0.75, 0.25)
    # Without one of two members, the other one is left.
    scores = {name: read_score(fitted_competition.find(name))["all"] for name in ("plain", "other")}
    assert plain.without == pytest.approx(scores["other"])
    assert other.without == pytest.approx(scores["plain"])
    assert plain.score == scores["plain"]
    correlations = values.ensemble.correlations
    assert correlations == [] or correlations[0][0] == pytest.approx(1)
    assert values.origin is not None
    assert values.origin.commands == [
        "tk fit plain", "tk fit other", "tk ensemble plain other --name both --weights 0.75,0.25", "tk tune both",
    ]  # fmt: skip


def test_several_experiments_are_compared_with_the_first(workspace: Workspace) -> None:
    result = report(Session(workspace), ["plain", "other", "both"])
    path = workspace.root / "reports" / "plain+other+both.html"
    assert result.page == str(path)
    assert sections_of(path)[:2] == ["answer", "comparison"]
    values = page_values(Session(workspace), workspace.find("plain"), ["other", "both"])
    found = values.comparison
    assert found is not None
    assert [row.name for row in found.rows] == ["plain", "other", "both"]
    assert found.rows[0].difference is None
    assert found.rows[1].difference is not None
    assert found.better + found.worse + found.equal == 20
    assert values.gallery is not None
    assert values.gallery.compared_with == "other"
    differing = [image for image in values.gallery.images if "differs" in image.groups]
    assert all(image.planes[0].other is not None for image in differing)
    assert all(image.other != image.untuned for image in differing)


def test_experiments_elsewhere_are_compared_too(workspace: Workspace, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(workspace.find("plain").folder, tmp_path / "elsewhere" / "experiments" / "plain"))
    for path in (tmp_path / "copy" / "data", tmp_path / "copy" / "experiments" / "tiny"):
        shutil.copytree(path, tmp_path / "elsewhere" / path.relative_to(tmp_path / "copy"))
    result = report(Session(workspace), [str(elsewhere), "other"], out=tmp_path / "page.html")
    assert result.experiments == ["plain", "other"]
    assert "comparison" in sections_of(tmp_path / "page.html")


def test_what_data_found_is_among_the_doubts(workspace: Workspace) -> None:
    examine_data(Session(workspace), "plain")
    values = page_values(Session(workspace), workspace.find("plain"))
    assert values.data is not None
    assert values.data.found is not None
    warned = [one for one in values.data.found["findings"] if one["level"] != "note"]
    sources = [doubt.source for doubt in values.doubts]
    assert all(f"tk data: {one['check']}" in sources for one in warned)


def test_an_experiment_without_predictions_has_its_training_on_the_page(
    workspace: Workspace, write_experiment: Callable[..., Experiment]
) -> None:
    stages = "{epochs: 1}, {epochs: 1, lr: 0.5, schedule: cosine, loss: dice_loss+0.25*lovasz_loss}"
    half = write_experiment(workspace, "half", f"stages: [{stages}]\n")
    fit(Session(workspace), "half", options=FitOptions(folds=[0], stages=[0]))
    assert sections_of(half.report) == ["answer", "training", "data", "origin"]
    fit(Session(workspace), "half", options=FitOptions(folds=[0]))
    values = page_values(Session(workspace), half)
    assert values.state == "1 of 2 folds trained"
    assert values.next_step == "tk fit half"
    assert any("fold 1 of half is not trained" in doubt.text for doubt in values.doubts)
    assert values.images == 10
    assert values.stage_losses[1] == "dice_loss+0.25*lovasz_loss"
    assert values.origin is not None
    changed = {key: (value, default) for key, value, _, default in values.origin.changed}
    assert changed["stages.1.lr"][0] == "0.5"
    assert changed["stages.1.loss"] == ("dice_loss+0.25*lovasz_loss", "binary_crossentropy")
    assert not any("…" in value for value, _ in changed.values())


def test_a_new_experiment_has_a_page(workspace: Workspace, write_experiment: Callable[..., Experiment]) -> None:
    new = write_experiment(workspace, "new")
    result = report(Session(workspace), ["new"])
    assert result.next == "tk fit new"
    assert "not fitted yet" in new.report.read_text("utf-8")


def test_without_its_images_an_experiment_has_a_page_that_says_so(workspace: Workspace) -> None:
    shutil.rmtree(workspace.root / "data" / "train")
    result = report(Session(workspace), ["plain"])
    text = Path(result.page).read_text("utf-8")
    assert "Curves and images are not shown" in text
    assert "images" not in sections_of(Path(result.page))
    assert "folds" in sections_of(Path(result.page))


def test_own_code_does_not_run(workspace: Workspace, write_experiment: Callable[..., Experiment]) -> None:
    own = write_experiment(workspace, "own", "primary_metric: mine\n")
    own.plugins.write_text("def mine(prediction, truth, valid):\n    return float(prediction.mean())\n")
    fit(Session(workspace), "own")
    digest = own.plugins.read_text()
    own.plugins.write_text(digest + "\nraise SystemExit('it runs')\n")
    text = Path(report(Session(workspace), ["own"]).page).read_text("utf-8")
    assert "code that the experiment brings along" in text
    assert "mine" in text


def test_a_recipe_of_other_predictions_is_a_doubt(workspace: Workspace) -> None:
    tune(Session(workspace), "plain", steps="threshold")
    plain = workspace.find("plain")
    tree = json.loads(plain.tuned.read_text())
    plain.tuned.write_text(json.dumps(tree | {"oof_predictions": "other"}))
    values = page_values(Session(workspace), plain)
    assert values.tuned is None
    assert [doubt.level for doubt in values.doubts if "is outdated" in doubt.text] == ["error"]
    assert values.next_step == "tk tune plain"


def test_a_fold_far_below_the_others_is_a_doubt(fitted_competition: Workspace) -> None:
    plain = fitted_competition.find("plain")

    def doubts(folds: list[float | None], direction: str = "max") -> list[str]:
        score = {"metric": "salt_map", "folds": folds, "all": 0.5}
        known = Known(Session(fitted_competition), plain, None, score, None, "", direction, None)  # type: ignore[arg-type]
        return [doubt.text for doubt in doubts_of(known, {}) if doubt.source == "folds"]

    assert doubts([0.25, 0.28, 0.05])[0].startswith(
        "Fold 2 scores 0.0500 untuned, far worse than the others (0.2650 on"
    )
    assert doubts([0.25, 0.28, 0.22]) == []
    assert doubts([0.25, 0.05]) == []
    assert doubts([0.25, None, 0.28, 0.9], "min")[0].startswith("Fold 3 scores 0.9000")


def test_wrong_calls_are_refused(workspace: Workspace) -> None:
    session = Session(workspace)
    with pytest.raises(MissingFileError, match="there is no experiment 'nothing'"):
        report(session, ["nothing"])
    with pytest.raises(ConfigError, match="named twice"):
        report(session, ["plain", "plain"])
    config = workspace.find("plain").config
    with pytest.raises(ConfigError, match="exists and is no page"):
        report(session, ["plain"], out=config)
    assert config.read_text().startswith("extends")


def test_without_a_name_the_last_finished_is_shown(workspace: Workspace) -> None:
    assert report(Session(workspace)).experiments == ["both"]


def test_a_page_that_cannot_be_made_does_not_fail_the_work_before_it(workspace: Workspace) -> None:
    told: list[str] = []

    class Telling(Silent):
        def warn(self, message: str) -> None:
            told.append(message)

    plain = workspace.find("plain")
    plain.score.write_text("{")
    assert page_at_the_end(Session(workspace, Telling()), plain, wanted=True) == ""
    assert "is not written" in told[0]
    with pytest.raises(StorageError, match="is damaged"):
        report(Session(workspace), ["plain"])


def test_the_index_links_to_the_pages(workspace: Workspace) -> None:
    workspace.find("other").report.unlink()
    result = list_experiments(Session(workspace), html=True)
    text = (workspace.root / "reports" / "index.html").read_text("utf-8")
    assert result.page == str(workspace.root / "reports" / "index.html")
    assert 'href="../experiments/plain/report.html"' in text
    assert "other/report.html" not in text
    assert list_experiments(Session(workspace)).page == ""
