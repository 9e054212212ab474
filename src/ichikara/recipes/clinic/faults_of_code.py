"""Faults of the code: calls that were forgotten, layers that are not connected, losses that do not fit."""

import numpy

from ... import nn, ops
from ...autodiff import Tensor
from .fault import after, fault, options
from .training import Training


def _wrap(training: Training, around) -> None:
    """Put something around the network after it was built."""

    def apply() -> None:
        training.model = around(training.model)

    after(training, "build", apply)


@fault("code", accepts="forgotten_zero_grad")
def no_zero_grad(training: Training) -> None:
    """The gradients are never cleared, so that they add up."""
    training.clear = lambda: None  # type: ignore[method-assign]


@fault("code", accepts="no_update")
def no_update(training: Training) -> None:
    """The optimiser's step is never called."""
    training.update = lambda: None  # type: ignore[method-assign]


@fault("code", accepts="ascent")
def ascent(training: Training) -> None:
    """The sign of the loss is wrong, so that the training climbs."""
    training.backward = lambda loss: (-loss).backward()  # type: ignore[method-assign]


@fault("code", accepts="forgotten_eval random_evaluation", subjects="mlp gpt")
def no_eval_with_dropout(training: Training) -> None:
    """The network with dropout is not put into evaluation mode."""
    options(training, "model")["dropout"] = 0.5
    training.evaluating = lambda: None  # type: ignore[method-assign]


@fault("code", accepts="forgotten_eval", subjects="resnet")
def no_eval_with_batch_norm(training: Training) -> None:
    """The network with batch normalisation is not put into evaluation mode, and the validation data is sorted."""
    training.evaluating = lambda: None  # type: ignore[method-assign]
    training.at_a_time = 16

    def sort() -> None:
        order = numpy.argsort(training.validation.targets, kind="stable")
        training.validation = training.validation[order]

    after(training, "load", sort)


@fault("code", accepts="softmax_twice", subjects="mlp resnet gpt")
def softmax_before_loss(training: Training) -> None:
    """The network ends in a softmax, and the loss applies another one."""
    _wrap(training, lambda model: nn.Sequential(model, nn.Softmax(-1)))


@fault("code", accepts="softmax_axis softmax_twice", subjects="mlp resnet gpt")
def softmax_over_the_batch(training: Training) -> None:
    """The softmax runs over the examples of the batch and not over the classes."""
    _wrap(training, lambda model: nn.Sequential(model, nn.Softmax(0)))


def _against_a_row(output: Tensor, targets: Tensor) -> Tensor:
    return ((output - targets[:, 0]) ** 2).mean()


@fault("code", accepts="broadcast", subjects="lstm")
def column_against_row(training: Training) -> None:
    """Outputs of shape (n, 1) are compared with targets of shape (n,), which makes n x n differences."""

    def apply() -> None:
        training.loss = _against_a_row

    after(training, "build", apply)


@fault("code", accepts="rate_too_high", subjects="mlp resnet")
def summed_loss(training: Training) -> None:
    """The loss is summed over the batch and not averaged, at the rate for averages."""
    size = training.recipe.training.batch_size
    training.backward = lambda loss: (loss * size).backward()  # type: ignore[method-assign]


@fault("code", accepts="outside_optimiser")
def outside_the_optimizer(training: Training) -> None:
    """The optimiser was given the parameters of the last layer only."""

    def apply() -> None:
        parameters = list(training.model.parameters())[-2:]
        training.optimizer = type(training.optimizer)(parameters, **options(training, "optimizer"))

    after(training, "optimise", apply)


@fault("code", accepts="frozen no_gradient")
def frozen(training: Training) -> None:
    """All parameters but those of the last layer are frozen."""

    def freeze() -> None:
        for parameter in list(training.model.parameters())[:-2]:
            parameter.requires_grad_(False)

    after(training, "build", freeze)


class Detach(nn.Module):
    """Gives its input, cut off from the graph."""

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: (*) -> (*)."""
        return x.detach()


@fault("code", accepts="detached no_gradient")
def detached_half(training: Training) -> None:
    """The graph is cut before the last layer, so that nothing before it learns."""

    def cut() -> None:
        model = training.model
        if hasattr(model, "head"):
            model.head = nn.Sequential(Detach(), model.head)
        elif hasattr(model, "blocks"):
            model.blocks.append(Detach())
        else:
            model.insert(len(model) - 1, Detach())

    after(training, "build", cut)


class _Skipping(nn.Module):
    """A network that forgets to call one of its layers."""

    def __init__(self, layers, forgotten):
        super().__init__()
        self.layers = nn.ModuleList(list(layers))
        self.forgotten = forgotten

    def forward(self, x):
        for number, layer in enumerate(self.layers):
            if number != self.forgotten:
                x = layer(x)
        return x


@fault("code", accepts="never_called no_gradient", subjects="mlp gpt")
def layer_never_called(training: Training) -> None:
    """A hidden layer is made and never called."""

    def skip() -> None:
        model = training.model
        if hasattr(model, "blocks"):
            model.blocks = _Skipping(model.blocks, 0)
        else:
            training.model = _Skipping(model, 3)

    after(training, "build", skip)


@fault("code", accepts="no_nonlinearity", subjects="mlp resnet")
def no_nonlinearity(training: Training) -> None:
    """There is no activation between the layers."""

    def flatten(module: nn.Module) -> None:
        for name, child in list(module.named_children()):
            if isinstance(child, nn.ReLU):
                module.register_module(name, nn.Identity())
            else:
                flatten(child)

    after(training, "build", lambda: flatten(training.model))


@fault("code", accepts="future leaking", subjects="gpt")
def no_mask(training: Training) -> None:
    """The attention has no mask, so that every position sees the one that it is to predict."""

    training.recipe.training.epochs *= 2  # to see ahead is learnt late

    def unmask() -> None:
        training.model.blocks = nn.Sequential(*[_Unmasked(block) for block in training.model.blocks])

    after(training, "build", unmask)


class _Unmasked(nn.Module):
    """A block of a GPT, without the mask of its attention."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        block = self.block
        x = x + block.dropout(block.proj(self._attend(block.norm1(x))))
        return x + block.dropout(block.mlp(block.norm2(x)))

    def _attend(self, x):
        n, t, width = x.shape
        heads = self.block.heads
        qkv = ops.reshape(self.block.qkv(x), (n, t, 3, heads, width // heads))
        q, k, v = (ops.permute_dims(qkv[:, :, i], (0, 2, 1, 3)) for i in range(3))
        y = ops.scaled_dot_product_attention(q, k, v)
        return ops.reshape(ops.permute_dims(y, (0, 2, 1, 3)), (n, t, width))
