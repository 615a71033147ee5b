"""The boundary loss: wrong pixels are weighted by their distance to the boundary of the truth."""

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.config.training.losses import NoArguments
from toolkit.learning.losses.targets import Tensor, Truth
from toolkit.learning.runtime import tf


def boundary_loss(truth: Truth, probabilities: Tensor, _: NoArguments) -> Tensor:
    """Mean of |probability - target| times the distance to the boundary (Kervadec et al. 2019, arXiv:1812.07032).

    Up to a constant this is the paper's mean of the signed distance times the probability. It has the same gradient,
    and is 0 for a right prediction.

    The distances come from OpenCV, because TensorFlow has no distance transform. They depend on the target alone, so
    that the function is stateless and has no gradient.
    """
    known = tf.where(truth.valid > 0, truth.target, -1.0)
    distances = tf.numpy_function(boundary_distances, [known], tf.float32, stateful=False)
    distances = tf.ensure_shape(distances, truth.target.shape)
    return truth.mean_over_planes(tf.abs(probabilities - truth.target) * distances)


def boundary_distances(planes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Distance of each pixel to its class's boundary, as a share of the image's longer side.

    The boundary runs half a pixel before the nearest pixel of the other kind. The distance is 0 in ignored pixels, and
    everywhere if all other pixels are of one kind.

    Args:
        planes: `float32 (batch, height, width, classes)`: from 0.5 on inside, below 0 ignored, outside otherwise.

    Returns:
        `float32`, of the same shape.
    """
    distances = np.zeros_like(planes)
    for image, kind in np.ndindex(planes.shape[0], planes.shape[3]):
        plane = planes[image, :, :, kind]
        inside = plane >= 0.5
        outside = ~inside & (plane >= 0)
        if inside.any() and outside.any():
            to_inside, to_outside = (
                cv2.distanceTransform((~each).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - 0.5
                for each in (inside, outside)
            )
            distances[image, :, :, kind] = to_inside * outside + to_outside * inside
    return distances / np.float32(max(planes.shape[1:3]))
