"""Covers toolkit/learning/networks/decoders/unet.py, linknet.py, fpn.py, pspnet.py and

toolkit/learning/networks/decoders/blocks/convolutions.py:

without further options they are the networks of segmentation-models, so that weights fit both.
"""

import numpy as np
import pytest

from toolkit.config.training.architectures import ARCHITECTURES, ArchitectureOptions
from toolkit.config.training.networks import NetworkSpec
from toolkit.learning.networks.backbones.registry import library
from toolkit.learning.networks.registry import builder_of
from toolkit.learning.runtime import configure, seed_initializers, tf

pytestmark = pytest.mark.train

CASES = [
    ("Unet", "vgg16", {}),
    ("Unet", "resnet18", {"decoder_block_type": "transpose", "decoder_use_batchnorm": False}),
    ("Linknet", "resnet18", {}),
    ("Linknet", "vgg16", {"decoder_block_type": "transpose"}),
    ("FPN", "resnet18", {"pyramid_aggregation": "sum"}),
    ("FPN", "resnet18", {"pyramid_block_filters": 512, "pyramid_use_batchnorm": False}),
    ("PSPNet", "resnet18", {"downsample_factor": 4, "psp_pooling_type": "max"}),
    ("PSPNet", "resnet18", {"downsample_factor": 8}),
]


@pytest.mark.parametrize(("architecture", "backbone", "options"), CASES, ids=str)
def test_it_is_the_network_of_the_library(architecture: str, backbone: str, options: dict[str, object]) -> None:
    configure("float32")
    shape = (48, 96, 3) if architecture == "PSPNet" else (32, 64, 3)
    spec = NetworkSpec(architecture=architecture, options=options, backbone=backbone, shape=shape, classes=2)
    models = []
    for of_library in (True, False):
        tf.keras.backend.reset_uids()
        seed_initializers(1)
        parsed = ARCHITECTURES[architecture].model_validate(options)
        if of_library:
            known = parsed.model_dump(exclude=set(ArchitectureOptions.model_fields))
            models.append(
                getattr(library(), architecture)(
                    backbone, input_shape=shape, classes=2, activation="linear", encoder_weights=None, **known
                )
            )
        else:
            parts = builder_of(architecture)(spec, parsed, None)
            models.append(tf.keras.Model(parts.inputs, parts.logits))
    theirs, ours = models
    assert [weight.name for weight in theirs.weights] == [weight.name for weight in ours.weights]
    assert all(map(np.array_equal, theirs.get_weights(), ours.get_weights()))
    images = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    np.testing.assert_array_equal(theirs(images, training=False).numpy(), ours(images, training=False).numpy())
