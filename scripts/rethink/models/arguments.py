"""The arguments of the models that a preset may set: what the paper leaves open about them.

A model that is not named here takes none. The values are handed to its `build`, whose defaults
are those given here; only what differs from them becomes part of a cell's specification.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from rethink.fields import Count, NotNegative, Number, Positive, Section

Scheme = Literal["fan_in_uniform", "glorot_uniform", "he_normal", "lecun_normal"]
ConvexScheme = Literal["positive", "fan_in_uniform", "glorot_uniform", "he_normal", "lecun_normal"]


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"should be odd, the channel and as many on each side, not {value}")
    return value


class Arguments(Section):
    """The arguments of a model that takes none."""

    def changed(self) -> dict[str, Any]:
        """Return the values that differ from the defaults."""
        return self.model_dump(exclude_defaults=True)


class PerceptronArguments(Arguments):
    """See `rethink.models.mlp.build`."""

    initialization: Scheme = "glorot_uniform"


class InceptionArguments(Arguments):
    """See `rethink.models.inception.build`."""

    initialization: Scheme = "glorot_uniform"
    padding: Literal["same", "symmetric"] = "same"


class NormalizedInceptionArguments(InceptionArguments):
    """With batch normalization; see `rethink.models.inception.build`."""

    batch_norm_scale: bool = False
    batch_norm_decay: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    batch_norm_epsilon: Positive = 0.001


class AlexNetArguments(Arguments):
    """See `rethink.models.alexnet.build`."""

    initialization: Literal["tutorial", Scheme] = "tutorial"
    padding: Literal["same", "symmetric"] = "same"
    lrn: bool = True
    lrn_size: Annotated[Count, AfterValidator(_odd)] = 9
    lrn_alpha: NotNegative = 0.001
    lrn_beta: Positive = 0.75
    lrn_k: Positive = 1.0


class InceptionV3Arguments(Arguments):
    """See `rethink.models.inception_v3.build`."""

    auxiliary_weight: NotNegative = 0.4


class ConvexArguments(Arguments):
    """See `rethink.models.convex_mlp.build`."""

    initialization: ConvexScheme = "positive"


class UsualConvexArguments(Arguments):
    """The same of networks that start as usual."""

    initialization: ConvexScheme = "fan_in_uniform"


class ConvexAllCNNArguments(UsualConvexArguments):
    """See `rethink.models.convex_allcnn.build`."""

    batch_norm: bool = True


class ConvexDenseNetArguments(UsualConvexArguments):
    """See `rethink.models.convex_densenet.build`."""

    growth: Count = 12
    block_layers: Count = 12


class DemoPerceptronArguments(Arguments):
    """See `rethink.models.mlp.build`."""

    initialization: Scheme = "fan_in_uniform"


ARGUMENTS: dict[str, type[Arguments]] = {
    "inception": NormalizedInceptionArguments,
    "inception_no_bn": InceptionArguments,
    "alexnet": AlexNetArguments,
    "mlp_3x512": PerceptronArguments,
    "mlp_1x512": PerceptronArguments,
    "inception_v3": InceptionV3Arguments,
    "convex_mlp_1x512": ConvexArguments,
    "convex_mlp_3x512": ConvexArguments,
    "convex_mlp_3x512_usual": UsualConvexArguments,
    "convex_mlp_3x512_bn": UsualConvexArguments,
    "convex_allcnn": ConvexAllCNNArguments,
    "convex_densenet": ConvexDenseNetArguments,
    "mlp_1x512_demo": DemoPerceptronArguments,
}


def accepted(model: str) -> type[Arguments]:
    """Return the section that describes the arguments of a model."""
    return ARGUMENTS.get(model, Arguments)
