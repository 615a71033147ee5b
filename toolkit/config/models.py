"""The typed models of config.yaml: every key, its default, its meaning."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from toolkit.config.data.classes import names_in, task_classes
from toolkit.config.data.data import DataConfig
from toolkit.config.data.folds import FoldsFile, Groups, Stratified
from toolkit.config.data.tiling import PatchesConfig, TilesConfig
from toolkit.config.members import parse_member
from toolkit.config.metrics import parse_metric, read_metric
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.networks import BACKBONES, NetworkSpec
from toolkit.config.training.stages import (
    AugmentationValue,
    Averaging,
    Callbacks,
    ClassWeights,
    Loss,
    Mixing,
    Optimizer,
    Schedule,
    StageConfig,
)
from toolkit.config.yaml.fields import (
    FilePath,
    Named,
    PositiveInteger,
    PositiveNumber,
    Shape,
    checked_by,
    one_of,
)
from toolkit.config.yaml.named_calls import ClosedModel
from toolkit.core.ensembling.means import Mean
from toolkit.core.images.resizing import Resize
from toolkit.core.images.tiles import UNTILED, Tiling
from toolkit.core.images.views import parse_views, views_name
from toolkit.core.masks.labels import Activation, Classes
from toolkit.core.metrics.registry import MetricSpec
from toolkit.core.recipe.probabilities import StoredType

ENCODER_WEIGHTS = ("imagenet", "pascal_voc")
"""Words for encoder weights that are no files."""

Backbone = Annotated[str, one_of(BACKBONES)]
MetricValue = Annotated[str | dict[str, Any], Field(union_mode="left_to_right"), checked_by(parse_metric)]
ViewsName = Annotated[str, AfterValidator(lambda text: views_name(parse_views(text)))]
Weighting = Literal["equal", "given", "search"]
ClassNames = Annotated[tuple[str, ...], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Config(ClosedModel):
    """An experiment: what config.yaml says."""

    data: DataConfig = Field(description="Where the data lie.")
    architecture: str = Field(
        "Unet", description="Segmentation network: Unet, FPN, Linknet, PSPNet, DeepLabV3Plus (or DeepLabV3), "
        "RefineNet, ModularUnet (without a backbone), or an own one of plugins.py. See docs/networks.md.",
    )  # fmt: skip
    architecture_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the architecture, such as `{decoder_block_type: transpose}`. See docs/networks.md.",
    )
    backbone: Backbone | None = Field("resnet34", description=f"Encoder of the network: {', '.join(BACKBONES)}.")
    encoder_weights: Literal["imagenet", "pascal_voc"] | FilePath | None = Field(
        "imagenet", union_mode="left_to_right",
        description="`imagenet` (downloaded once), `null` for random ones, or the path of a local .h5 file with the "
        "encoder's weights. `pascal_voc`, a word of other programs, takes imagenet and says so.",
    )  # fmt: skip
    freeze_encoder: bool = Field(
        False, description="Keep the encoder's weights as they are; a stage may change that. Its batch normalisation "
        "then runs on its stored statistics.",
    )  # fmt: skip
    shape: Shape = Field(
        (256, 256, 3),
        description="Input of the network: height, width, channels. With 3 channels grey images are repeated, with 1 "
        "colours become grey, any other number must be what the files have. Sides are multiples of what the network "
        "asks for, mostly 32.",
    )
    first_convolution: Literal["mean", "copy", "zero"] = Field(
        "mean", description="How pretrained weights of three channels start another number of channels: the `mean` of "
        "the three in each, a `copy` of them in turn, or the first three as they are and `zero` for the rest.",
    )  # fmt: skip
    presence_head: bool = Field(
        False, description="Give the network a second output that tells whether each class occurs in the image; "
        "`presence_crossentropy` in the loss trains it.",
    )  # fmt: skip
    batch_norm_momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.9, description="Share of the old value in the running statistics of batch normalisation, at each batch. "
        "Keras says 0.99, which needs some 500 batches before predictions can be trusted."
    )  # fmt: skip
    resize: Resize = Field(
        "stretch", description="How images reach the shape: `stretch` both sides; keep the pixels and `pad` with "
        "mirrored ones (larger images are scaled down); or `fit`: scale up or down, keeping the aspect, and pad the "
        "shorter side. Predictions are brought back to each image's own size.",
    )  # fmt: skip
    patches: PatchesConfig | None = Field(
        None, description="Train on windows of the shape, drawn anew every epoch: `{per_image: 8, positive_share: "
        "0.5, scale: 1}`. Predictions are made by tiles. See docs/large-images.md.",
    )  # fmt: skip
    crops: Annotated[int, Field(ge=2, le=100)] | None = Field(
        None, description="Cut each image into so many times so many parts; each is a sample, brought to the shape by "
        "`resize`. Predictions are made by tiles of their size. See docs/large-images.md.",
    )  # fmt: skip
    tiles: TilesConfig | None = Field(
        None, description="How tiles overlap in validation and prediction: `{overlap: 0.25, blend: hann}`. Without "
        "patches or crops it needs `resize: pad`, and images larger than the shape are predicted by tiles. See "
        "docs/large-images.md.",
    )  # fmt: skip
    classes: Annotated[PositiveInteger | ClassNames, Field(union_mode="left_to_right")] = Field(
        default_factory=lambda data: _names_in(data.get("data")) or 1,
        description="Number of classes, or their names. With 1 it is foreground against background. Left out: those of "
        "the competition, those that `data` names, or 1. They may be some of those that the masks have: the others are "
        "background.",
    )
    activation: Activation = Field(
        default_factory=lambda data: _activation_for(data.get("classes", 1), data.get("data")),
        description="What turns the network's logits into probabilities: `sigmoid`, each class for itself, or "
        "`softmax`, one class a pixel, the first of which counts as background. Left out: sigmoid for one class, "
        "for those of a competition and for masks of bits, channels or one file a class, else softmax.",
    )
    loss: Loss = Field(
        default_factory=lambda data: (
            "categorical_crossentropy" if data.get("activation") == "softmax" else "binary_crossentropy"
        ),
        description="Sum of weighted terms, for example `binary_crossentropy+0.5*lovasz_loss`. Left out: "
        "binary_crossentropy, with softmax categorical_crossentropy. See docs/losses.md.",
    )
    class_weights: ClassWeights | None = Field(
        None, description="Weights of the classes in the loss: a list with one number for each, or `balanced`, by the "
        "inverse of each one's share of the training pixels.",
    )  # fmt: skip
    optimizer: Optimizer = Field(
        "Adam", description="Optimizer of Keras: Adam, AdamW, SGD, RMSprop, Nadam, …, or `{SGD: {momentum: 0.9}}`. "
        "Any takes weight_decay, and one of clipnorm, global_clipnorm and clipvalue. See docs/schedules.md.",
    )  # fmt: skip
    lr: PositiveNumber = Field(1e-3, description="Learning rate.")
    schedule: Schedule = Field(
        "constant", description="Learning rate over the batches of a stage: `constant`, `cosine` down to zero, "
        "`one_cycle` (up from a 25th over the first 30 %, then down to nearly zero), and more, also one after the "
        "other. CyclicLR or LRVariator among the callbacks take its place. See docs/schedules.md.",
    )  # fmt: skip
    batch: PositiveInteger = Field(16, description="Images in a batch.")
    callbacks: Callbacks = Field(
        default_factory=dict, description="What watches the epochs: `{EarlyStopping: {patience: 10}}`, "
        "ReduceLROnPlateau, TensorBoard, … See docs/schedules.md.",
    )  # fmt: skip
    weight_averaging: Averaging = Field(
        default_factory=dict, description="Averages of weights that are tried at the end of a stage and kept only if "
        "the metric rises: `{ema: {decay: 0.999}}`, `{swa: {start: 0.75}}`, `{soup: {top: 3}}`, or several. See "
        "docs/schedules.md.",
    )  # fmt: skip
    metrics: tuple[MetricValue, ...] = Field(
        (),
        description="Further metrics to record every epoch, besides the primary one: a list of names, or of "
        "`{fbeta: {beta: 2}}` and the like. See docs/metrics.md.",
    )
    primary_metric: MetricValue = Field(
        default_factory=lambda data: _metric_of(data.get("data")),
        description="The competition's metric, such as dice, iou, salt_map or miou: it chooses the best epoch, scores "
        "and tunes. Left out: that of `data.competition`, or dice. See docs/metrics.md.",
    )
    benchmark_class: str | None = Field(
        None, description="Name of the class that alone counts for the primary metric; all of them if left out."
    )
    augmentation: AugmentationValue = Field(
        default_factory=dict,
        description="Transforms of albumentations by name, applied in order: `HorizontalFlip: 0.5` gives the "
        "probability, `Affine: {scale: [0.9, 1.1], p: 0.5}` the parameters; a list of such pairs allows repeats, "
        "`light`, `medium` and `heavy` are ready. See docs/augmentation.md.",
    )
    transforms: Annotated[Named, checked_by(parse_augmentation)] = Field(
        default_factory=dict, description="Transforms of the image that are always applied, in training, validation "
        "and prediction, such as `CLAHE: 1.0`; nothing random, nothing that moves pixels. See docs/augmentation.md.",
    )  # fmt: skip
    mixing: Mixing = Field(
        default_factory=dict, description="Mixing of the images of a batch: `{mixup: {alpha: 0.2, p: 0.5}}`, cutmix, "
        "copy_paste; a number alone is p, the chance of each batch. See docs/augmentation.md.",
    )  # fmt: skip
    folds_count: PositiveInteger = Field(
        5, description="Number of folds; 1 goes with `validationSplit`. See docs/folds.md."
    )
    stratified: Stratified = Field(
        True, description="What is spread evenly over the folds: `true`, foreground coverage, empty images apart; "
        "`classes`, which classes occur; a column of `data.metadata`; a list of `coverage`, `classes` and columns; "
        "`false`, nothing.",
    )  # fmt: skip
    groups: Groups | None = Field(
        None, union_mode="left_to_right",
        description="Images that must not be divided over folds: a column of `data.metadata`, such as the patient, or "
        "`{pattern: \"(.+)_\\d+\"}`, a regular expression for ids, whose part in parentheses names the group.",
    )  # fmt: skip
    group_near_duplicates: bool = Field(
        False, description="Images that look the same but for encoding, size, brightness or slight noise are a group."
    )
    validationSplit: Share | None = Field(  # noqa: N815 # as other programs call it
        None, description="With `folds_count: 1`: share of the images that the only fold holds out."
    )
    testSplit: Share | None = Field(  # noqa: N815
        None, description="Share of all labelled images that no fold trains on or is judged by: a hold-out, which the "
        "mean of all folds predicts, with scores of its own.",
    )  # fmt: skip
    testSplitSeed: Seed | None = Field(  # noqa: N815
        None, description="Seed of the hold-out. Left out: 0, whatever `seed` is, so that experiments can be averaged."
    )
    folds: FoldsFile | None = Field(
        None, description="CSV file with the columns image_id and fold (a number, `train` or `holdout`), such as the "
        "folds.csv of another experiment, instead of folds that are drawn.",
    )  # fmt: skip
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1)] = Field(
        description="Stages of each fold, run in order; each starts from the best weights of the one before. See "
        "docs/training.md."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Arithmetic of the network: `bfloat16` is faster on processors and GPUs that have it, "
        "`float16` on other GPUs, with scaling of the loss; `auto` takes what suits the machine. Weights, loss and "
        "metrics stay in float32.",
    )  # fmt: skip
    stored_probability: StoredType = Field("uint8", description="How predictions are kept: `uint8` or `float16`.")
    seed: Seed = Field(0, description="Every random draw derives from it.")
    num_seeds: PositiveInteger = Field(
        1, description="How often each fold is trained, with the seeds seed, seed+1, …; predictions are averaged. The "
        "folds stay those of the first seed.",
    )  # fmt: skip

    @property
    def class_count(self) -> int:
        """Number of classes."""
        return _count(self.classes)

    @property
    def task_classes(self) -> Classes:
        """The classes and how mask files code them."""
        return task_classes(self.classes, self.activation, self.data)

    @property
    def metric_specs(self) -> tuple[MetricSpec, ...]:
        """Every metric to record, each once, the primary one first."""
        specs = (read_metric(value) for value in (self.primary_metric, *self.metrics))
        return tuple(dict.fromkeys(specs))

    @property
    def primary_label(self) -> str:
        """What the primary metric is called in tables and histories; with a benchmark class, its number behind it."""
        label = self.metric_specs[0].label
        return label if self.benchmark_index is None else f"{label}[{self.benchmark_index}]"

    @property
    def benchmark_index(self) -> int | None:
        """Position of the class that alone counts for the primary metric."""
        return None if self.benchmark_class is None else self.task_classes.names.index(self.benchmark_class)

    def stage_shape(self, number: int) -> tuple[int, int, int]:
        """Input of the network in a stage: height, width, channels."""
        return self.stages[number].shape or self.shape

    @property
    def prediction_shape(self) -> tuple[int, int, int]:
        """Input of the network when it predicts: that of the last stage."""
        return self.stage_shape(len(self.stages) - 1)

    @property
    def tiling(self) -> Tiling:
        """How images are cut up when they are predicted."""
        tiles = self.tiles or TilesConfig.model_validate({})
        if self.patches is not None:
            return Tiling("tiles", 1, self.patches.scale, tiles.overlap, tiles.blend)
        if self.crops is not None:
            return Tiling("grid", self.crops, 1.0, tiles.overlap, tiles.blend)
        return UNTILED if self.tiles is None else Tiling("tiles", 1, 1.0, tiles.overlap, tiles.blend)

    @property
    def resize_of_samples(self) -> Resize:
        """How what a network sees reaches its shape; patches have it already, but for their scale."""
        return "stretch" if self.patches is not None else self.resize

    def network_spec(self, shape: tuple[int, int, int] | None = None) -> NetworkSpec:
        """What the network is built from, for an input of `shape` (height, width, channels)."""
        return NetworkSpec(
            architecture=self.architecture,
            options=self.architecture_options,
            backbone=self.backbone,
            encoder_weights=self.encoder_weights,
            shape=shape or self.shape,
            classes=self.class_count,
            batch_norm_momentum=self.batch_norm_momentum,
            first_convolution=self.first_convolution,
            presence_head=self.presence_head,
        )


def _names_in(data: DataConfig | None) -> tuple[str, ...]:
    """The classes that `data` names; a wrong `data` has none, and is told."""
    return () if data is None else names_in(data)


def _activation_for(classes: int | tuple[str, ...], data: DataConfig | None) -> Activation:
    """Classes of a competition, and those of masks that have room for several in a pixel, are independent."""
    expected = () if data is None else data.table_format.classes
    of_competition = isinstance(classes, tuple) and set(classes) <= set(expected)
    shared = data is not None and (data.encoding in ("bits", "channels") or "{class}" in (data.mask_name or ""))
    return "sigmoid" if _count(classes) == 1 or of_competition or shared else "softmax"


def _metric_of(data: DataConfig | None) -> str | dict[str, Any]:
    return "dice" if data is None else data.table_format.metric


def _count(classes: int | tuple[str, ...]) -> int:
    return classes if isinstance(classes, int) else len(classes)


def _known_part(name: str) -> str:
    parse_member(name)
    return name


class EnsembleConfig(ClosedModel):
    """An ensemble: an experiment whose members are experiments."""

    members: Annotated[tuple[Annotated[str, AfterValidator(_known_part)], ...], Field(min_length=1)] = Field(
        description="Names of the experiments and ensembles, folders beside this one, and of parts of experiments such "
        "as `exp042:fold0`, `exp042:stage0` or `exp042:snapshots`. See docs/ensembles.md.",
    )  # fmt: skip
    weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(
        description="Weight of each member; 0 is as if it were not there."
    )
    weighting: Weighting = Field(
        "given", description="Where the weights come from: `equal`, `given` on the command line, or `search`."
    )
    mean: Mean = Field(
        "probability", description="Of what the weighted mean is taken: `probability`, `logit`, `rank` or `vote`. See "
        "docs/ensembles.md.",
    )  # fmt: skip
    views: ViewsName = Field("none", description="Test-time augmentation of every member.")
    primary_metric: MetricValue = Field(description="The competition's metric.")

    @field_validator("weights")
    @classmethod
    def _one_each(cls, weights: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        members = info.data.get("members", weights)
        if len(weights) != len(members):
            raise ValueError(f"expected {len(members)} weights, one for each member, received {len(weights)}")
        if not any(weights):
            raise ValueError("all weights are 0: at least one member has to count")
        return weights
