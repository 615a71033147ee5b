from toolkit.cluster.units import Unit
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Progress


def duty(workspace: Workspace, progress: Progress, arguments: object) -> None:
    raise NotImplementedError


def test_files_are_named_after_the_unit() -> None:
    assert Unit("fold 0 · seed 1 · stage 2", duty, {}, 3).file_name == "fold0-seed1-stage2"
    assert Unit("test images 17", duty, {}, 3).file_name == "testimages17"
