"""The names that Keras gives to the outputs of the blocks of a ResNet."""

_RESNET_BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


def keras_block_names(backbone: str) -> tuple[str, ...]:
    """Keras's names of the outputs of a ResNet's blocks, `conv2_block1_out` first; none for other encoders."""
    blocks = _RESNET_BLOCKS.get(backbone, ())
    return tuple(f"conv{s}_block{b}_out" for s, count in enumerate(blocks, start=2) for b in range(1, count + 1))
