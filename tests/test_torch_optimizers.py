"""PyTorch's own test inputs of its optimisers (`optim_db`), through ours: the same steps, and what is refused."""

import numpy
import pytest

import ichikara
from ichikara import optim
from ichikara.errors import UserError

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of these tests")
pytest.importorskip("expecttest", reason="PyTorch's test inputs need it")
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db  # noqa: E402
from torch_values import translate  # noqa: E402

STEPS = 12
SHAPES = (3, 4), (5,), ()
OPTIMIZERS = {info.optim_cls.__name__: info for info in optim_db if hasattr(optim, info.optim_cls.__name__)}
TOLERANCES = {"float32": {"rtol": 2e-4, "atol": 2e-5}, "float64": {"rtol": 1e-9, "atol": 1e-11}}

# What PyTorch refuses and we do not, and why.
ACCEPTED = {"betas must be either both floats or both Tensors": "a decay is a number, whatever it came in"}


@pytest.mark.peers
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_pytorchs_options_give_pytorchs_steps(name, dtype):
    info = OPTIMIZERS[name]
    for given in info.optim_inputs_func(device="cpu"):
        random = numpy.random.default_rng(0)
        start = [random.standard_normal(shape).astype(dtype) for shape in SHAPES]
        theirs = [torch.nn.Parameter(torch.tensor(numbers)) for numbers in start]
        mine = [ichikara.asarray(numbers, requires_grad=True) for numbers in start]
        their_optimizer = info.optim_cls(theirs, **given.kwargs)
        optimizer = getattr(optim, name)(mine, **translate(given.kwargs, []))
        for step in range(STEPS):
            for k, shape in enumerate(SHAPES):
                g = None if (step, k) == (5, 1) else random.standard_normal(shape).astype(dtype)
                theirs[k].grad, mine[k].grad = None if g is None else torch.tensor(g), g
            their_optimizer.step(), optimizer.step()
        for parameter, expected in zip(mine, theirs, strict=True):
            numpy.testing.assert_allclose(
                parameter.numpy(), expected.detach().numpy(), **TOLERANCES[dtype], err_msg=f"{given.kwargs}"
            )


@pytest.mark.peers
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_pytorch_refuses_is_refused(name):
    for wrong in OPTIMIZERS[name].optim_error_inputs_func(device="cpu", dtype=torch.float32):
        given = wrong.optimizer_error_input
        if wrong.error_on is not OptimizerErrorEnum.CONSTRUCTION_ERROR:
            continue
        made: dict[int, ichikara.Tensor] = {}
        parameters = [ichikara.zeros(3, requires_grad=True)] if given.params is None else as_ours(given.params, made)
        options = translate(given.kwargs, [])
        if given.desc in ACCEPTED:
            getattr(optim, name)(parameters, **options)
            continue
        with pytest.raises((UserError, TypeError)):
            getattr(optim, name)(parameters, **options)


def as_ours(params, made):
    """Parameters as ours; one that comes twice is the same tensor twice."""
    if isinstance(params, torch.Tensor):
        if id(params) not in made:
            made[id(params)] = ichikara.asarray(params.detach().numpy().copy(), requires_grad=True)
        return made[id(params)]
    if isinstance(params, dict):
        return {key: as_ours(value, made) for key, value in params.items()}
    return [as_ours(part, made) for part in params] if isinstance(params, list | tuple) else params
