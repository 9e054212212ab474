"""The networks that a recipe can name, each made for the data's shape and the number of outputs."""

import inspect
import math
from collections.abc import Callable
from typing import Any

from .. import nn, ops, zoo
from ..arrays import Generator, using
from ..autodiff import no_grad
from ..data import Dataset
from ..errors import UserError, choose
from ..train import Adversaries
from .memory import Activations, counted, explained, refuse
from .schema import Recipe, options_of

__all__ = ["GANS", "LAYERS", "MODELS", "build_model", "example_shape"]

LAYERS: dict[str, type[nn.Module]] = {
    layer.__name__: layer
    for layer in (
        nn.Linear,
        nn.Flatten,
        nn.Unflatten,
        nn.Dropout,
        nn.Dropout2d,
        nn.Identity,
        nn.Sigmoid,
        nn.Tanh,
        nn.ReLU,
        nn.LeakyReLU,
        nn.ELU,
        nn.GELU,
        nn.SiLU,
        nn.Softplus,
        nn.Softmax,
        nn.LogSoftmax,
        nn.Conv1d,
        nn.Conv2d,
        nn.MaxPool1d,
        nn.MaxPool2d,
        nn.AvgPool1d,
        nn.AvgPool2d,
        nn.AdaptiveAvgPool2d,
        nn.BatchNorm1d,
        nn.BatchNorm2d,
        nn.LayerNorm,
        nn.GroupNorm,
    )
}
"""The layers that a recipe may name; it can name no others."""

# The names of a layer's input size, and the axis of the input that gives it.
_WIDTHS = {"in_features": -1, "in_channels": 1, "num_features": 1, "num_channels": 1}


def _mlp(shape, outputs, options):
    return zoo.MLP(math.prod(shape), outputs, **_options(zoo.MLP, options, "in_features", "out_features"))


def _perceptron(shape, outputs, options):
    _options(zoo.Perceptron, options, "in_features", "generator")
    return zoo.Perceptron(math.prod(shape))


def _polynomial(shape, outputs, options):
    return zoo.Polynomial(**_options(zoo.Polynomial, options))


def _lenet(shape, outputs, options):
    channels, *size = _image(shape)
    return zoo.LeNet(channels, tuple(size), outputs, **_options(zoo.LeNet, options, "channels", "size", "out_features"))


def _resnet(shape, outputs, options):
    return zoo.ResNet(_image(shape)[0], outputs, **_options(zoo.ResNet, options, "channels", "out_features"))


def _sequence_reader(shape, outputs, options):
    return zoo.SequenceReader(
        shape[-1], outputs, **_options(zoo.SequenceReader, options, "in_features", "out_features")
    )


def _char_rnn(shape, outputs, options):
    return zoo.CharRNN(outputs, **_options(zoo.CharRNN, options, "vocabulary"))


def _gpt(shape, outputs, options):
    return zoo.GPT(outputs, shape[0], **_options(zoo.GPT, options, "vocabulary", "context"))


def _seq2seq(shape, outputs, options):
    half = shape[0] // 2
    return zoo.Seq2Seq(outputs, half, half, **_options(zoo.Seq2Seq, options, "symbols", "length", "answer"))


def _sequential(shape, outputs, options):
    """The layers that the recipe lists. A layer's input size and the last layer's output size may be left out."""
    layers = options_of(_layers, options, "model")["layers"]
    last = max((i for i, layer in enumerate(layers) if layer.get("type") == "Linear"), default=-1)
    model = nn.Sequential()
    x = ops.zeros((2, *shape))
    for i, layer in enumerate(layers):
        given = dict(layer)
        where = f"model.layers[{i}]"
        kind = choose(f"{where}.type", given.pop("type", None), LAYERS)
        names = inspect.signature(kind).parameters
        for name, axis in _WIDTHS.items():
            if name in names:
                given.setdefault(name, x.shape[axis])
        if i == last:
            given.setdefault("out_features", outputs)
        try:
            made = kind(**options_of(kind, given, where, leave_out=("generator", "dtype")))
            with no_grad():
                x = made.eval()(x)
        except (ValueError, TypeError) as error:
            raise UserError(f"{where}: {error}") from None
        model.append(made.train())
    return model


def _layers(layers: list[dict[str, Any]]):
    """The options of a sequential model."""


def _gan(shape, outputs, options):
    given = options_of(_fully_connected, options, "model", leave_out=("shape",))
    return _fully_connected(_image(shape), **given)


def _fully_connected(shape, latent: int = 32, generator: list[int] = [128, 256], discriminator: list[int] = [256, 128]):  # noqa: B006
    pair = zoo.Generator(latent, shape, tuple(generator)), zoo.Discriminator(shape, tuple(discriminator))
    return Adversaries(*pair, latent)


def _dcgan(shape, outputs, options):
    given = {"latent": 64, **options_of(zoo.dcgan, options, "model", leave_out=("shape",))}
    return Adversaries(*zoo.dcgan(shape=_image(shape), **given), given["latent"])


def _options(kind, options, *made_by_data):
    return options_of(kind, options, "model", leave_out=made_by_data)


def _image(shape):
    if len(shape) != 3:
        raise UserError(
            f"this model needs images (channels, height, width), and the data has examples of shape {shape}; "
            "data.as_images = true gives images where the data has them"
        )
    return shape


MODELS: dict[str, Callable] = {
    "mlp": _mlp,
    "perceptron": _perceptron,
    "polynomial": _polynomial,
    "sequential": _sequential,
    "lenet": _lenet,
    "resnet": _resnet,
    "sequence-reader": _sequence_reader,
    "char-rnn": _char_rnn,
    "gpt": _gpt,
    "seq2seq": _seq2seq,
    "gan": _gan,
    "dcgan": _dcgan,
}

GANS = ("gan", "dcgan")
"""The models that consist of a generator and a discriminator."""


def example_shape(recipe: Recipe, data: Dataset) -> tuple[int, ...]:
    """The shape of one example that the network gets; for a text, the recipe's context."""
    return (recipe.training.context,) if data.task == "text" else data.inputs.shape[1:]


def build_model(
    recipe: Recipe, shape: tuple[int, ...], outputs: int, generator: Generator, whole: bool, batch: int = 0
) -> nn.Module:
    """The network of a recipe, with initial weights drawn from ``generator``, a source of random numbers.

    Arguments: ``shape``, of an example; ``outputs``, numbers for each example, or for each position of a sequence;
    ``whole``, whether the inputs are whole numbers; ``batch``, how many examples it is to learn from at a time.

    Raises UserError for options that do not fit together, a network that does not fit the data, and one for which the
    memory is too small: that is found by counting, before it is used.
    """
    maker = choose("model", recipe.model.name, MODELS)
    with using(generator), counted("model", recipe.model.options):
        try:
            model = maker(shape, outputs, recipe.model.options)
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(f"model: {error}") from None
        if recipe.initialisation is not None:
            _initialise(model, recipe.initialisation.name, recipe.initialisation.options)
    if isinstance(model, Adversaries):
        shape, outputs, whole = (model.latent,), shape[-1], False
    with no_grad(), explained("model", recipe.model.options), Activations() as activations:
        try:
            result = model.eval()(ops.zeros((1, *shape), dtype="int64" if whole else "float32"))
        except (ValueError, TypeError, IndexError) as error:
            raise UserError(f"the model of the recipe cannot take inputs of shape {shape}: {error}") from None
    if result.shape[-1] != outputs:
        raise UserError(f"the model gives {result.shape[1:]} for each example, and the task needs {outputs} numbers")
    if whole and result.ndim != 3:
        raise UserError(
            f"the model gives {result.shape[1:]} for each example, and the task needs {outputs} numbers at each "
            "position of a sequence; char-rnn, gpt and seq2seq are models that do so"
        )
    if batch:
        refuse(recipe, sum(p.size * p.dtype.itemsize for p in model.parameters()), activations.bytes, batch)
    model.train()
    return model


def _initialise(model: nn.Module, name: str, options: dict[str, Any]) -> None:
    fill = choose("initialisation", name, nn.init.INITIALISERS)
    checked = options_of(fill, options, "initialisation", leave_out=("tensor", "generator"))
    try:
        nn.init.initialise(model, name, **checked)
    except (ValueError, TypeError) as error:
        raise UserError(f"initialisation: {error}") from None
