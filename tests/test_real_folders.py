"""`tk init` and `tk data` on the real folders: they find what is known of these."""

from pathlib import Path

import pytest

from toolkit.commands.inspecting.data import DataResult, examine_data
from toolkit.commands.session import Session
from toolkit.commands.starting.init import InitResult, init
from toolkit.config.loading import load_config
from toolkit.config.models import Config
from toolkit.errors import NothingToLearnError
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.inspection.data_findings import DataFinding

pytestmark = pytest.mark.realdata


def examined(root: Path, folder: Path) -> tuple[InitResult, Config, DataResult]:
    workspace = Workspace(root)
    result = init(Session(workspace), folder)
    config = load_config(workspace.find("baseline").config).config
    return result, config, examine_data(Session(workspace), "baseline")


def why(result: InitResult, key: str) -> str:
    return next(f"{one.why} / {one.other}" for one in result.recognised if one.key == key)


def found(data: DataResult, check: str) -> list[DataFinding]:
    return [one for one in data.findings if one.check == check]


def test_salt(real_data: Path, tmp_path: Path) -> None:
    result, config, data = examined(tmp_path, real_data / "salt")
    assert (result.training_images, result.test_images) == (3000, 1000)
    assert "1801 16-bit grey PNG, 1199 8-bit grey PNG" in why(result, "data.masks")
    assert "train.csv, which has the same masks for 100%" in why(result, "data.masks")
    assert config.data.table_format.name == "tgs-salt"
    assert config.data.metadata is not None
    assert config.shape == (128, 128, 3)
    assert data.training is not None
    assert data.test is not None
    assert data.training.constant + data.test.constant == 80
    assert data.training.empty == 1199
    (kinds,) = found(data, "kinds")
    assert "masks with foreground are 16-bit grey PNG, empty masks are 8-bit grey PNG" in kinds.message
    assert "three equal channels" in found(data, "channels")[0].message
    assert "101×101" in found(data, "sizes")[0].message
    assert data.exit_code == 0


def test_the_order_of_salt_is_known_without_mask_files(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "salt"
    (folder / "train").mkdir(parents=True)
    for name in ("train/images", "train.csv", "test"):
        (folder / name).symlink_to(real_data / "salt" / name)
    result = init(Session(Workspace(tmp_path)), folder)
    assert "down the columns, masks of" in why(result, "data.masks")


def test_nuclei(real_data: Path, tmp_path: Path) -> None:
    result, config, data = examined(tmp_path, real_data / "nuclei")
    assert config.data.table_format.name == "dsb2018"
    assert "99 images have several rows, one per object" in why(result, "data.masks")
    assert "torn" in why(result, "data.masks")
    assert "alpha channel is dropped" in why(result, "data.images")
    assert config.patches is not None
    assert "100 of 100 images have an alpha channel" in found(data, "channels")[0].message
    assert "6 sizes" in found(data, "sizes")[0].message
    assert data.training is not None
    assert "99 images have several" in data.training.masks


def test_camvid(real_data: Path, tmp_path: Path) -> None:
    result, config, data = examined(tmp_path, real_data / "camvid")
    assert config.class_count == 11
    assert config.activation == "softmax"
    assert config.data.ignore == 11
    assert "11 is one more class" in why(result, "data.ignore")
    assert config.shape == (384, 480, 3)
    assert data.training is not None
    assert data.training.ignored == pytest.approx(0.038, abs=0.001)
    assert found(data, "near duplicates")[0].ids == ("0016E5_04860", "0016E5_04980")


def test_camvid_without_ignored_is_refused(real_data: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    init(Session(workspace), real_data / "camvid")
    data = examine_data(Session(workspace), "baseline", overrides=["data.ignore=null"])
    (files,) = found(data, "files")
    assert len(files.ids) == 92
    assert "11 (in 92 masks)" in files.advice
    assert data.exit_code == 5


def test_membrane(real_data: Path, tmp_path: Path) -> None:
    result, config, data = examined(tmp_path, real_data / "membrane")
    assert "78% of the pixels" in why(result, "data.mask_values")
    assert "mask_values: [0]" in why(result, "data.mask_values")
    assert config.shape == (512, 512, 3)
    (polarity,) = found(data, "polarity")
    assert "30 of 30" in polarity.message
    turned = examine_data(Session(Workspace(tmp_path)), "baseline", overrides=["data.mask_values=[0]"])
    assert not found(turned, "polarity")


def test_roots(real_data: Path, tmp_path: Path) -> None:
    result, config, data = examined(tmp_path, real_data / "roots")
    assert config.patches is not None
    assert config.folds_count == 4
    assert any("no folder of test images" in line for line in result.not_used)
    assert data.training is not None
    assert data.training.sizes == {"2273×2550": 4}
    assert not found(data, "sizes")  # patches have the size of the network


def test_tables_without_images_are_said_to_be_what_they_are(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToLearnError) as told:
        init(Session(Workspace(tmp_path)), real_data / "competition_csv")
    lines = told.value.message.splitlines()
    for name, role, preset in (
        ("airbus_train_ship_segmentations_v2_sample.csv", "labels", "airbus"),
        ("airbus_sample_submission_v2.csv", "sample", "airbus"),
        ("carvana_sample_submission_head.csv", "sample", "carvana"),
        ("severstal_train_head.csv", "labels", "severstal"),
        ("siim_stage2_sample_submission.csv", "sample", "siim-acr"),
    ):
        (line,) = [line for line in lines if name in line]
        assert f": {role}:" in line
        assert line.endswith(f"like {preset}")


@pytest.mark.parametrize(
    ("table", "preset", "words"),
    [
        ("salt/train.csv", "tgs-salt", "fit their images better"),
        ("nuclei/train_labels.csv", "dsb2018", "torn"),
    ],
)
def test_masks_read_in_the_wrong_order_are_noticed(
    real_data: Path, tmp_path: Path, table: str, preset: str, words: str
) -> None:
    path = tmp_path / "experiments" / "wrong" / "config.yaml"
    path.parent.mkdir(parents=True)
    masks = real_data / table
    for order, warned in (("row", True), ("column", False)):
        path.write_text(
            f"data:\n  images: {masks.parent / 'train' / 'images'}\n  masks: {masks}\n"
            f"  competition: {{extends: {preset}, pixel_order: {order}}}\nstages: [{{epochs: 1}}]\n"
        )
        told = found(examine_data(Session(Workspace(tmp_path)), "wrong"), "pixel order")
        assert bool(told) == warned
        assert not told or words in told[0].message
