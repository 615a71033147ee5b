"""The boundary loss: wrong pixels cost their distance from the boundary of the truth."""

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.config.training.losses import NoArguments
from toolkit.learning.losses.targets import Tensor, Truth
from toolkit.learning.runtime import tf


def boundary_loss(truth: Truth, probabilities: Tensor, _: NoArguments) -> Tensor:
    """Mean of |probability - target| times the distance to the boundary (Kervadec et al. 2019, arXiv:1812.07032).

    Up to a constant this is the paper's mean of the signed distance times the probability, with the same gradient, but
    it is 0 where the prediction is right.

    The distances come from OpenCV and not from TensorFlow operations, which have no exact distance transform but the
    comparison of each pixel with its whole row and column. They depend on nothing but the target, so the function is
    stateless and has no gradient.
    """
    known = tf.where(truth.valid > 0, truth.target, -1.0)
    distances = tf.numpy_function(boundary_distances, [known], tf.float32, stateful=False)
    distances = tf.ensure_shape(distances, truth.target.shape)
    return truth.mean_over_planes(tf.abs(probabilities - truth.target) * distances)


def boundary_distances(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Distance of each pixel to its class's boundary, as a share of the image's longer side.

    Measured to the nearest pixel of the other kind, less the half pixel that the boundary runs before it. 0 in void
    pixels, and where all known pixels are of one kind: there is no boundary.

    Args:
        planes: `float32 (batch, height, width, classes)`: above 0.5 inside, below 0 void, outside otherwise.

    Returns:
        `float32`, of the same shape.
    """
    distances = np.zeros_like(planes)
    for image, kind in np.ndindex(planes.shape[0], planes.shape[3]):
        plane = planes[image, :, :, kind]
        inside = plane > 0.5
        outside = ~inside & (plane >= 0)
        if inside.any() and outside.any():
            to_inside, to_outside = (
                cv2.distanceTransform((~each).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5
                for each in (inside, outside)
            )
            distances[image, :, :, kind] = to_inside * outside + to_outside * inside
    return distances / np.float32(max(planes.shape[1:3]))
