"""PyTorch's own test inputs of its layers (`module_db`), through ours; and PyTorch's arguments, at their defaults."""

import inspect
import re

import pytest

from ichikara import nn, ops, optim
from ichikara.errors import UserError

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
pytest.importorskip("expecttest", reason="PyTorch's test inputs need it")
from torch.testing._internal.common_modules import module_db  # noqa: E402
from torch_values import assert_same, translate  # noqa: E402

MOST = 30
"""How many inputs of each layer, type and mode are taken."""

# What is refused of PyTorch's inputs, and why.
REFUSED = {
    "LSTM": "proj_size=0 alone.*put a Linear layer behind it",
    "MultiheadAttention": "add_(bias_kv|zero_attn)=False alone.*beside those that are given",
    "MaxPool1d": "return_indices=False alone.*where the largest elements are is not returned",
    "MaxPool2d": "return_indices=False alone.*where the largest elements are is not returned",
    "BatchNorm1d": "has 0 value for each channel, and a variance is of two or more",
    "BatchNorm2d": "has 0 value for each channel, and a variance is of two or more",
    "Softmax": "an input of shape .* has no axis 0",
    "LogSoftmax": "an input of shape .* has no axis 0",
}

LAYERS = {info.name.removeprefix("nn."): info for info in module_db}
SHARED = [name for name in LAYERS if hasattr(nn, name)]
ACTIVATIONS = {torch.nn.functional.gelu: ops.gelu, torch.nn.functional.relu: ops.relu}


def ours_of(value):
    """An argument of a constructor as ours: an activation, or the layer that a stack is made of."""
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return nn.TransformerEncoderLayer(
            value.self_attn.embed_dim,
            value.self_attn.num_heads,
            value.linear1.out_features,
            value.dropout.p,
            activation=ops.relu if isinstance(value.activation, torch.nn.ReLU) else ours_of(value.activation),
            layer_norm_eps=value.norm1.eps,
            batch_first=value.self_attn.batch_first,
            norm_first=value.norm_first,
            bias=value.linear1.bias is not None,
        )
    if isinstance(value, torch.nn.Module):
        return ops.gelu
    return ACTIVATIONS[value] if callable(value) and value in ACTIVATIONS else translate(value, [])


def is_random(module, arguments):
    dropping = any(isinstance(part, torch.nn.Dropout) and part.p for part in module.modules())
    return module.training and bool(dropping or arguments.kwargs.get("dropout"))


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")  # PyTorch's, of itself
@pytest.mark.parametrize("name", SHARED)
def test_pytorchs_inputs_of_a_layer(name):
    info, seen, refused = LAYERS[name], 0, 0
    for dtype in (torch.float32, torch.float64):
        for training in (True, False):
            torch.manual_seed(0)
            inputs = info.module_inputs_func(info, "cpu", dtype, requires_grad=True, training=training)
            for given in list(inputs)[:MOST]:
                made, call = given.constructor_input, given.forward_input
                theirs = info.module_cls(*made.args, **made.kwargs).to(dtype).train(training)
                if is_random(theirs, made):
                    continue
                seen += 1
                where = f"{made.args} {made.kwargs}, {dtype}, {'training' if training else 'evaluation'}"
                try:
                    arguments = [ours_of(value) for value in made.args]
                    options = {key: ours_of(value) for key, value in made.kwargs.items()}
                    ours = getattr(nn, name)(*arguments, **options).to(str(dtype).removeprefix("torch."))
                    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
                    leaves = []
                    positional = [translate(value, leaves) for value in call.args]
                    named = {key: translate(value, leaves) for key, value in call.kwargs.items()}
                    output = ours.train(training)(*positional, **named)
                except UserError as error:
                    if not (name in REFUSED and re.search(REFUSED[name], str(error))):
                        raise AssertionError(f"{where}: {error}") from None
                    refused += 1
                    continue
                mine = dict(ours.named_parameters())
                leaves += [(parameter, mine[key]) for key, parameter in theirs.named_parameters()]
                try:
                    assert_same(output, theirs(*call.args, **call.kwargs), leaves, dtype)
                except AssertionError as error:
                    raise AssertionError(f"{where}: {error}") from None
    assert seen > refused
    assert bool(refused) is (name in REFUSED), "the table of refusals is out of date"


# --- arguments --------------------------------------------------------------------------------------------------------


def arguments_of(kind):
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}


REQUIRED = {
    "BatchNorm1d": (3,),
    "Conv1d": (2, 2, 1),
    "Embedding": (3, 2),
    "GroupNorm": (1, 2),
    "Linear": (2, 2),
    "MultiheadAttention": (4, 2),
    "RNN": (2, 3),
    "Transformer": (4, 2),
    "TransformerEncoderLayer": (4, 2),
}
for kind, like in {
    "BatchNorm1d": ("BatchNorm2d", "InstanceNorm1d", "InstanceNorm2d", "LayerNorm", "RMSNorm"),
    "Conv1d": ("Conv2d", "ConvTranspose1d", "ConvTranspose2d"),
    "RNN": ("LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"),
    "TransformerEncoderLayer": ("TransformerDecoderLayer",),
}.items():
    REQUIRED |= dict.fromkeys(like, REQUIRED[kind])
REQUIRED |= dict.fromkeys([n for n in nn.__all__ if "Pool" in n], (2,))
REQUIRED |= {"Upsample": (2,), "Unflatten": (1, (1, 2))}


def library_of(name):
    return (nn, torch.nn) if hasattr(nn, name) else (optim, torch.optim)


CONTAINERS = ("Module", "Parameter", "Sequential", "ModuleList", "ModuleDict", "ParameterList")
KINDS = [n for n in nn.__all__ if isinstance(getattr(torch.nn, n, None), type) and n not in CONTAINERS]
OPTIMIZERS = [n for n in optim.__all__ if hasattr(torch.optim, n) and n != "Optimizer" and n[0].isupper()]
OPTIMIZERS = [n for n in OPTIMIZERS if issubclass(getattr(optim, n), optim.Optimizer)]
RECURRENT = {"proj_size": 0, "device": None, "dtype": None}  # PyTorch's signature says **kwargs


def required(name):
    if name in OPTIMIZERS:
        return ([ops.zeros(2, requires_grad=True)],)
    if name in ("TransformerEncoder", "TransformerDecoder"):
        layer = getattr(nn, name + "Layer")(4, 2)
        return layer, 1
    return REQUIRED.get(name, ())


@pytest.mark.parametrize("name", [*KINDS, *OPTIMIZERS])
def test_pytorchs_defaults_are_accepted(name):
    ours, theirs = (getattr(library, name) for library in library_of(name))
    defaults = {key: p.default for key, p in arguments_of(theirs).items() if p.default is not p.empty}
    if name in ("RNN", "LSTM", "GRU"):
        defaults |= {key: value for key, value in RECURRENT.items() if name == "LSTM" or key != "proj_size"}
    if "lr" in defaults and name in OPTIMIZERS:
        assert defaults["lr"] == arguments_of(ours)["lr"].default
    given = required(name)
    positional = [*arguments_of(theirs)][: len(given)]
    for key, value in defaults.items():
        value = ACTIVATIONS.get(value, value) if callable(value) else value
        if key not in positional and not (name == "GELU" and value is None):
            ours(*given, **{key: value})
    extra = [p for p in arguments_of(theirs).values() if p.kind is p.POSITIONAL_OR_KEYWORD][len(given) :]
    values = [ACTIVATIONS.get(p.default, p.default) if callable(p.default) else p.default for p in extra]
    if inspect.Parameter.empty not in values:
        ours(*given, *values)  # by position too


@pytest.mark.parametrize("name", [*KINDS, *OPTIMIZERS])
def test_other_values_of_arguments_that_are_lacking_are_refused_with_a_reason(name):
    ours, theirs = (getattr(library, name) for library in library_of(name))
    given = required(name)
    lacking = arguments_of(theirs).keys() - arguments_of(ours).keys()
    for key in [*lacking, *(["proj_size"] if name == "LSTM" else [])]:
        with pytest.raises(UserError, match=rf"^{name} takes {key}=.* alone, and 'other' was given: .+"):
            ours(*given, **{key: "other"})


def test_what_is_no_argument_of_pytorchs_either_is_pythons_error():
    with pytest.raises(TypeError, match="unexpected keyword argument 'inplaced'"):
        nn.ReLU(inplaced=False)
    with pytest.raises(TypeError, match="positional argument"):
        nn.ReLU(False, False)
    assert nn.Linear(2, 3, True, "cpu", "float64").weight.dtype == "float64"
    assert nn.MaxPool2d(3, 2, 1, 1, False, True).ceil_mode is True
