"""What the words on the page mean: those of docs/words.md, and the metrics of docs/metrics.md, in the same words."""

WORDS = {
    "fold": "one part of the images that is held out, and the network that is trained on the others",
    "hold-out": "images that no fold trains on and nothing is chosen by; scored by the mean of all folds",
    "foreground, background": "pixels of some class that is looked for; all others",
    "member": "an experiment, an ensemble, or a part of an experiment (a fold, a stage, a snapshot) inside an ensemble",
    "stage": "one leg of a fold's training; it starts from the best weights of the stage before",
    "epoch": "one pass over the images of a stage",
    "out-of-fold (OOF)": "the prediction for a training image by the fold that never saw it",
    "view": "one flip, turn or scale of an image, with its inverse",
    "recipe": "the rule from probabilities to masks; the same in validation, tuning and submission",
    "threshold": "the probability above which a pixel is foreground",
    "triplet": "a recipe step: the image is empty unless enough pixels exceed a second, higher threshold",
    "component": "pixels of a mask that are connected; corners connect",
    "object": (
        "a component, or what the recipe's `split` divides it into; in the truth, what a table or mask file numbers"
    ),
    "bootstrap": "the uncertainty of a score, estimated by drawing images with replacement",
    "untuned": "scored with threshold 0.5 and nothing else",
    "tuned": "scored with the recipe chosen on the same images: too optimistic",
    "nested": "each fold scored with the recipe chosen on the other folds: honest",
}
"""From a word to what it means."""

METRICS = {
    "dice": ("2·|A∩B| / (|A|+|B|)", "images × classes"),
    "iou": ("|A∩B| / |A∪B|", "images × classes"),
    "precision": ("|A∩B| / |A|", "images × classes"),
    "recall": ("|A∩B| / |B|", "images × classes"),
    "fbeta": ("(1+β²)·|A∩B| / (|A|+β²·|B|); `beta` is 1 by default", "images × classes"),
    "salt_map": ("share of the thresholds t that the IoU exceeds", "images × classes"),
    "instance_map": ("mean over t of TP / (TP+FP+FN), counting objects", "images × classes"),
    "airbus_f2": ("mean over t of 5·TP / (5·TP+4·FN+FP), counting objects", "images × classes"),
    "global_dice": ("Dice of the areas of all images together", "classes"),
    "global_precision": ("|A∩B| / |A| of the areas of all images together", "classes"),
    "global_recall": ("|A∩B| / |B| of the areas of all images together", "classes"),
    "miou": ("IoU of the areas of all images together", "classes"),
    "pixel_accuracy": ("share of correct pixels over all images", ""),
    "dice_hausdorff": (
        "0.4·Dice + 0.6·(1 − Hausdorff distance in 3-D)",
        "Dice: images × classes; distance: stacks",
    ),
}
"""From the name of a metric to its score of a prediction A and the truth B, and what it is averaged over."""

_NOTES = (
    ("|A", "A is the prediction, B the truth, |·| counts pixels"),
    ("TP", "TP, FP and FN are true positives, false positives and false negatives"),
    (" t ", "t is 0.50, 0.55, …, 0.95: an object or mask counts as found if its IoU is larger"),
    ("IoU", "IoU is the area in both prediction and truth over the area in either"),
    ("Dice", "Dice is twice the area in both prediction and truth over the sum of both areas"),
)


def meaning(word: str) -> str:
    """What a word or the label of a metric means; empty for a metric of plugins, which is in no table."""
    if word in WORDS:
        return WORDS[word].replace("`", "")
    name = word.partition("(")[0]
    if name not in METRICS:
        return ""
    score, averaged = METRICS[name]
    text = score.replace("`", "") + (f", averaged over {averaged}" if averaged else "")
    notes = [note for part, note in _NOTES if part in f"{score} "]
    return ". ".join([text, *notes])
