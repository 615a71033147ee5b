"""The YAML example that the configuration's keys come from runs unchanged."""

import numpy as np
import pytest

from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.config.loading import load_config
from toolkit.core.images.resizing import place
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.files.experiment.history import read_history
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.networks.network import build_network

pytestmark = pytest.mark.train

# Comments, trailing spaces and names of imgaug are the original's.
YAML = """\
backbone: mobilenetv2 #lets select classifier backbone for our network 
architecture: DeepLabV3 #lets select segmentation architecture that we would like to use
augmentation:
 Fliplr: 0.5 #let's define some minimal augmentations on images
 Flipud: 0.5 
classes: 1 #we have just one class (mask or no mask)
activation: sigmoid #one class means that our last layer should use sigmoid activation
encoder_weights: pascal_voc #we would like to start from network pretrained on pascal_voc dataset
shape: [320, 320, 3] #This is our desired input image and mask size, everything will be resized to fit.
optimizer: Adam #Adam optimizer is a good default choice
batch: 16 #Our batch size will be 16
metrics: #We would like to track some metrics
  - binary_accuracy 
  - iou
primary_metric: val_binary_accuracy #and most interesting metric is val_binary_accuracy
callbacks: #Let's configure some minimal callbacks
  EarlyStopping:
    patience: 15
    monitor: val_binary_accuracy
    verbose: 1
  ReduceLROnPlateau:
    patience: 4
    factor: 0.5
    monitor: val_binary_accuracy
    mode: auto
    cooldown: 5
    verbose: 1
loss: binary_crossentropy #We use simple binary_crossentropy loss
stages:
  - epochs: 6 #Train for 6 epochs
    negatives: none #do not include negative examples in your training set 
    validation_negatives: real #validation should contain all negative examples    

  - lr: 0.0001 #let's use different starting learning rate
    epochs: 6
    negatives: real
    validation_negatives: real

  - loss: lovasz_loss #lets override loss function
    lr: 0.00001
    epochs: 6
    initial_weights: ./fpn-resnext2/weights/best-0.1.weights #lets load weights from this file    
"""  # noqa: W291

DATA = ["data.images=data/train/images", "data.masks=data/train.csv"]
# Nothing can be downloaded here, and such a backbone, 320 pixels, six epochs and five folds take too long for a test.
SMALL = [
    "encoder_weights=null",
    "backbone=mobilenet",
    "shape=[32, 32, 3]",
    "folds_count=2",
    "precision=float32",
    *(f"stages.{number}.epochs=1" for number in range(3)),
]


def lovasz_hinge(labels: np.ndarray, logits: np.ndarray) -> float:
    """By its definition: errors in falling order, each weighted by what it adds to the Jaccard loss."""
    errors = 1 - logits * (2.0 * labels - 1)
    order = np.argsort(-errors, kind="stable")
    ordered = labels[order].astype(float)
    jaccard = 1 - (ordered.sum() - ordered.cumsum()) / (ordered.sum() + (1 - ordered).cumsum())
    return float(np.maximum(errors[order], 0) @ np.diff(jaccard, prepend=0))


def test_the_multistage_yaml_runs_and_its_last_stage_trains_with_lovasz(
    tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_competition.root)
    experiment = tiny_competition.place("multistage")
    given = experiment.folder / "fpn-resnext2" / "weights" / "best-0.1.weights"
    given.parent.mkdir(parents=True)
    experiment.config.write_text(YAML)
    config = load_config(experiment.config, [*DATA, *SMALL]).config
    network = build_network(config.network_spec(), 99)
    network.save_weights(given)

    result = fit(Session(tiny_competition), "multistage", overrides=[*DATA, *SMALL], options=FitOptions([0]))

    assert result.metric == "pixel_accuracy"
    assert [len(read_history(experiment.stage(0, stage))) for stage in range(3)] == [1, 1, 1]
    network.load_weights(experiment.stage(0, 2).best_weights)
    labelled = find_labelled(config)
    folds = read_folds(experiment.folds, labelled.images.ids)
    losses = []
    for image_id in np.array(labelled.images.ids)[folds == 0]:
        placement = place(labelled.read_labels(image_id).shape, (32, 32), "stretch")
        logits = network.outputs(placement.image(labelled.images.read(image_id))[None], training=False).logits.numpy()
        losses.append(lovasz_hinge(placement.labels(labelled.read_labels(image_id)).ravel(), logits.ravel()))
    assert read_history(experiment.stage(0, 2))[0].validation_loss == pytest.approx(np.mean(losses), rel=0.01)
