"""Lovász losses: the Jaccard index of sorted errors (Berman et al. 2018, arXiv:1705.08790)."""

from toolkit.config.training.losses import LovaszArguments
from toolkit.learning.losses.targets import Tensor, Truth
from toolkit.learning.runtime import tf

_IGNORE_ERROR = -1e9  # sorted after all other pixels, and 0 after relu or exp


def lovasz_hinge(truth: Truth, logits: Tensor, arguments: LovaszArguments) -> Tensor:
    """Independent classes, each against the rest, by the hinge errors of the logits."""
    errors = 1.0 - logits * (2.0 * truth.target - 1.0)
    return _lovasz(truth, errors, arguments, positives_only=bool(arguments.positives_only))


def lovasz_softmax(truth: Truth, probabilities: Tensor, arguments: LovaszArguments) -> Tensor:
    """Exclusive classes, by the difference of their probabilities from the target."""
    errors = tf.abs(truth.target - probabilities)
    return _lovasz(truth, errors, arguments, positives_only=arguments.positives_only is not False)


def _lovasz(truth: Truth, errors: Tensor, arguments: LovaszArguments, *, positives_only: bool) -> Tensor:
    """Mean of the Lovász extension over the rows: one for each class of an image, or of the batch.

    For a given order the extension is linear in the errors, and the order has no gradient. So the slopes are computed
    on sorted errors and mapped back to the pixels, and gradients never pass through the sort.
    """
    errors, labels = _rows(truth.where_valid(errors, _IGNORE_ERROR), arguments), _rows(truth.target, arguments)
    order = tf.argsort(errors, axis=1, direction="DESCENDING", stable=True)
    weights = None
    if truth.pixel_weights is not None and arguments.per == "batch":
        planes = tf.broadcast_to(truth.pixel_weights, tf.shape(truth.target))
        weights = tf.gather(_rows(planes, arguments), order, batch_dims=1)
    slopes = _slopes(tf.gather(labels, order, batch_dims=1), weights)
    if arguments.symmetric:
        # The hinge errors of the background are the same, so that one order serves both.
        others = tf.where(errors > _IGNORE_ERROR, 1.0 - labels, 0.0)
        slopes = (slopes + _slopes(tf.gather(others, order, batch_dims=1), weights)) / 2
    # One permutation of all rows: it is cheaper to invert than to sort the order of each row.
    rows, pixels = tf.unstack(tf.shape(labels))
    places = tf.math.invert_permutation(tf.reshape(order + pixels * tf.range(rows)[:, None], [-1]))
    slopes = tf.reshape(tf.gather(tf.reshape(slopes, [-1]), places), [rows, pixels])
    positive = _elu_plus_one(errors) if arguments.activation == "elu+1" else tf.nn.relu(errors)
    values = tf.reshape(tf.reduce_sum(positive * tf.stop_gradient(slopes), axis=1), [-1, truth.target.shape[-1]])
    occurs = truth.occurs(arguments.per) if positives_only else None
    return truth.mean_over_classes(values, occurs, of_images=arguments.per == "image")


def _rows(planes: Tensor, arguments: LovaszArguments) -> Tensor:
    """(batch, height, width, classes) as (batch · classes, pixels), or (classes, pixels of the batch)."""
    _, height, width, classes = tf.unstack(tf.shape(planes))
    if arguments.per == "batch":
        return tf.reshape(tf.transpose(planes, [3, 0, 1, 2]), [classes, -1])
    return tf.reshape(tf.transpose(planes, [0, 3, 1, 2]), [-1, height * width])


def _slopes(sorted_labels: Tensor, sorted_weights: Tensor | None = None) -> Tensor:
    """How much the Jaccard loss grows when each pixel in turn, in the order of falling errors, becomes wrong.

    With weights, each pixel counts as so many.
    """
    inside, outside = sorted_labels, 1.0 - sorted_labels
    if sorted_weights is not None:
        inside, outside = inside * sorted_weights, outside * sorted_weights
    positives = tf.reduce_sum(inside, axis=1, keepdims=True)
    intersection = positives - tf.cumsum(inside, axis=1)
    union = positives + tf.cumsum(outside, axis=1)
    jaccard = 1.0 - intersection / union
    return tf.concat([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], axis=1)


def _elu_plus_one(errors: Tensor) -> Tensor:
    return tf.where(errors > 0, errors + 1.0, tf.exp(tf.minimum(errors, 0.0)))
