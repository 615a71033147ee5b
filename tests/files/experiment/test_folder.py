from pathlib import Path

from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment


def test_a_stage_is_complete_if_its_state_says_so_and_its_weights_exist(tmp_path: Path) -> None:
    stage = Experiment(tmp_path).stage(1, 0)
    assert stage.folder == tmp_path / "fold1" / "stage0"
    assert not stage.is_complete()
    write_json(stage.state, {"complete": True})
    assert not stage.is_complete()
    stage.best_weights.write_text("weights")
    assert stage.is_complete()
    write_json(stage.state, {"complete": False})
    assert not stage.is_complete()


def test_every_set_of_views_has_its_own_predictions(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path)
    names = [experiment.predictions(split, views).name for split in ("oof", "test") for views in ("none", "flips")]
    assert names == ["oof", "oof-flips", "test", "test-flips"]
    same = {experiment.predictions("oof", views) for views in ("hflip*scales:1,0.5", "scales:0.5,1*hflip")}
    assert [folder.name for folder in same] == ["oof-hflip_scales=0.5,1"]


def test_results_are_deleted_and_the_users_files_are_kept(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "exp042")
    kept = [experiment.config, experiment.folds, experiment.folder / "plugins.py"]
    kept += [experiment.folder / "folds drawn by hand" / "folds.csv"]
    made = [experiment.resolved, experiment.score, experiment.image_scores, experiment.tuned, experiment.overlays]
    made += [experiment.evaluation, experiment.confusion, experiment.curves, experiment.overlays_of(0)]
    made += [experiment.stage(0, 1).best_weights, experiment.predictions("oof") / "maps"]
    for path in (*kept, *made):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert experiment.has_training()
    experiment.forget_results()
    assert not experiment.has_training()
    assert sorted(path for path in experiment.folder.rglob("*") if path.is_file()) == sorted(kept)


def test_files_that_only_an_unfinished_stage_needs_can_be_deleted(tmp_path: Path) -> None:
    stage = Experiment(tmp_path / "exp").stage(0, 1)
    kept = [stage.best_weights, stage.history, stage.state, stage.snapshot(3), stage.negative_weights]
    unfinished = stage.candidate(0).with_name(".17.0a1b2c3d.epoch0000.weights.h5")
    for path in (
        *kept,
        stage.last,
        stage.candidate(2),
        unfinished,
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert stage.candidates() == [stage.candidate(2)]
    for _ in range(2):
        stage.forget_progress()
        assert sorted(path for path in stage.folder.rglob("*") if path.is_file()) == sorted(kept)
        assert not stage.last.parent.exists()
        assert not stage.candidate(0).parent.exists()


def test_the_last_shards_leave_nothing_behind(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "exp")
    folders = [experiment.shards("oof", "flips", ["fold0"]), experiment.shards("oof"), experiment.image_shards("key")]
    assert len({folder.name for folder in folders}) == 3
    for folder in folders:
        (folder / "0-4").mkdir(parents=True)
    write_json(experiment.engine_of_shards, {})
    experiment.forget_shards("oof", "flips", ["fold0"])
    experiment.forget_shards("oof")
    assert not folders[0].exists()
    assert experiment.engine_of_shards.exists()
    experiment.forget_image_shards("key")
    assert list((experiment.folder / "predictions").iterdir()) == []
    experiment.forget_shards("test")
