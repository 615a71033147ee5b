import pytest
from pydantic import ValidationError

from toolkit.config.keras.backbones import BACKBONES, PUBLISHED, WITHOUT_HALF, EncoderScaling, check_published


def test_names_are_unique_and_those_without_half_are_backbones() -> None:
    assert len(set(BACKBONES)) == len(BACKBONES)
    assert set(WITHOUT_HALF) <= set(BACKBONES)


@pytest.mark.parametrize("weights", PUBLISHED)
@pytest.mark.parametrize("backbone", ["mitb0", "resnet18v1"])
def test_weights_that_nobody_can_download_are_refused(backbone: str, weights: str) -> None:
    with pytest.raises(ValueError, match=f"cannot download {weights} weights of {backbone}: name a .safetensors file"):
        check_published(backbone, weights)


@pytest.mark.parametrize(
    ("backbone", "weights"), [("mitb0", None), ("mitb0", "model.safetensors"), ("resnet34", "imagenet")]
)
def test_files_random_and_published_weights_are_allowed(backbone: str, weights: object) -> None:
    check_published(backbone, weights)


def test_the_scaling_of_colours_is_for_pixel_values() -> None:
    found = EncoderScaling(mean=(127.5, 127.5, 127.5), deviation=(127.5, 127.5, 127.5))
    assert found.mean == (127.5, 127.5, 127.5)
    with pytest.raises(ValidationError, match="multiply both by 255"):
        EncoderScaling(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))
    with pytest.raises(ValidationError, match="greater than 0"):
        EncoderScaling(mean=(0, 0, 0), deviation=(0, 1, 1))
