from toolkit.config.keras.block_names import keras_block_names


def test_the_blocks_of_a_resnet_have_the_names_of_keras() -> None:
    assert keras_block_names("resnet18") == tuple(f"conv{s}_block{b}_out" for s in (2, 3, 4, 5) for b in (1, 2))
    assert keras_block_names("resnet152").count("conv4_block36_out") == 1
    assert keras_block_names("vgg16") == ()
