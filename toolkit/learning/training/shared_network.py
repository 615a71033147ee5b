"""What all rungs of training use: one network and the steps compiled for it, which every fold trains again.

Compiling takes longer than many an epoch, and nothing that is compiled changes from fold to fold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.config.models import Config
from toolkit.config.stage_values import Stage
from toolkit.config.training.architectures import DeepSupervision
from toolkit.config.training.networks import NetworkSpec, deep_supervision_of
from toolkit.learning.losses.registry import TotalLoss, build_loss
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.optimizing.optimizers import build_optimizer
from toolkit.learning.optimizing.weight_averages import ExponentialAverage
from toolkit.learning.predicting.predictor import Predictor, images_at_once
from toolkit.learning.runtime import compiled, loss_scaling, strategy
from toolkit.learning.training.step import TrainingStep


class SharedNetwork:
    """The network of an experiment, which takes the weights of one fold after the other.

    A Keras network is built for one input size: each size that a stage asks for has a network of its own, and the
    weights are passed on from one to the next.
    """

    def __init__(self, config: Config, plugins: Mapping[str, Any]) -> None:
        self._config, self._plugins = config, plugins
        self.epochs_trained = 0
        self._strategy = strategy()
        self._sized: dict[tuple[int, int, int], _Sized] = {}
        self._current: _Sized | None = None

    @property
    def network(self) -> Network:
        """The network at the present input size."""
        return self._of_fold.network

    @property
    def predictor(self) -> Predictor:
        """Predicts with the present weights of the network."""
        return self._of_fold.predictor

    def begin_fold(self, fold: int, seed: int) -> None:
        """Give the network the initial weights of a fold, which derive from the seed."""
        shape = self._config.stage_shape(0)
        spec = self._config.network_spec(shape)
        if shape not in self._sized:
            self._current = self._build(spec, seed, fold)
            return
        self._current = self._sized[shape]
        # Built outside the distribution strategy: this network is only there for its weights.
        fresh = build_network(spec, seed, fold, plugins=self._plugins)
        self.network.model.set_weights(fresh.model.get_weights())

    def begin_stage(self, stage: Stage, class_weights: tuple[float, ...] | None) -> "CompiledStage":
        """The compiled step of a stage, with its optimizer in its initial state; the network keeps its weights."""
        self.use_shape(stage.shape)
        if stage.frozen or self.network.encoder:
            self.network.freeze_encoder(stage.frozen)
        ema = stage.weight_averaging.ema
        key = (repr(stage.loss), stage.class_weights, repr(stage.optimizer), ema, stage.frozen)
        stages = self._of_fold.stages
        if key not in stages or stages[key].class_weights != class_weights:
            # Balanced class weights differ from fold to fold: a step compiled with other ones is freed.
            stages.pop(key, None)
            stages[key] = self._compile(stage, class_weights)
        stages[key].reset()
        return stages[key]

    def use_shape(self, shape: tuple[int, int, int]) -> None:
        """Change the input shape (height, width, channels) of the network; its weights stay."""
        if shape not in self._sized:
            bare = self._config.network_spec(shape).model_copy(update={"encoder_weights": None})
            self._build(bare, self._config.seed)
        sized = self._sized[shape]
        if sized is not self._current:
            sized.network.model.set_weights(self.network.model.get_weights())
            self._current = sized

    def _deep_supervision(self) -> DeepSupervision | None:
        return deep_supervision_of(self._config.architecture, self._config.architecture_options, self._plugins)

    @property
    def _of_fold(self) -> "_Sized":
        if self._current is None:
            raise RuntimeError("no fold has begun")
        return self._current

    def _build(self, spec: NetworkSpec, *seed: int) -> "_Sized":
        with self._strategy.scope():
            network = build_network(spec, *seed, plugins=self._plugins)
        at_once = images_at_once(self._config.prediction_batch)
        predictor = Predictor(network, "none", self._config.activation, at_once=at_once)
        self._sized[spec.shape] = _Sized(network, predictor, {})
        return self._sized[spec.shape]

    def _compile(self, stage: Stage, class_weights: tuple[float, ...] | None) -> "CompiledStage":
        with self._strategy.scope():
            optimizer = loss_scaling(build_optimizer(stage.optimizer, stage.lr, self._plugins))
            optimizer.build(self.network.trainable_variables)
            ema = stage.weight_averaging.ema
            average = None if ema is None else ExponentialAverage(self.network.model.weights, ema.decay)
        activation = self._config.activation
        loss = build_loss(stage.loss, activation, class_weights, self._plugins, self._deep_supervision())
        autograph = self.network.autograph or _has_own_code(stage)
        step = TrainingStep(
            self.network, optimizer, loss, average, self._strategy,
            activation=activation, compilation=self._config.compilation, autograph=autograph,
        )  # fmt: skip
        return CompiledStage(step, compiled(loss, autograph=autograph), class_weights)


def _has_own_code(stage: Stage) -> bool:
    """Whether the loss or the optimizer is the user's, whose arguments are a mapping."""
    arguments = [*(term.arguments for term in stage.loss), stage.optimizer.arguments]
    return any(isinstance(each, Mapping) for each in arguments)


@dataclass(frozen=True)
class _Sized:
    """The network for one input size, and everything compiled for it."""

    network: Network
    predictor: Predictor
    stages: dict[object, "CompiledStage"]


class CompiledStage:
    """The step of a stage, and its compiled loss alone for validation; `class_weights` are those of the loss."""

    def __init__(
        self, step: TrainingStep, validation_loss: TotalLoss, class_weights: tuple[float, ...] | None = None
    ) -> None:
        self.step = step
        self.class_weights = class_weights
        self.validation_loss = validation_loss
        self._initial = [variable.numpy() for variable in step.variables]

    def reset(self) -> None:
        """Put the optimizer back into its initial state, and let the moving average begin with the present weights."""
        for variable, value in zip(self.step.variables, self._initial, strict=True):
            variable.assign(value)
        if self.step.average is not None:
            self.step.average.restart()
