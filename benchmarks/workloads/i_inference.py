"""I: the networks of B, C and F at use, with one example and with many."""

from functools import partial

from . import b_mlp, c_convolution, cost, f_gpt
from .common import Step, Workload, torch_network

TRAINED = {"B": b_mlp, "C": c_convolution, "F": f_gpt}
BATCHES = (1, 256)


def ichikara_step(mode, module, batch) -> Step:
    import ichikara
    from ichikara import nn

    network = module.model(nn).eval()
    x = ichikara.asarray(module.data(batch)[0])

    def step():
        with ichikara.no_grad():
            return network(x)

    return step


def torch_step(mode, module, batch) -> Step:
    import torch

    network, (x,) = torch_network(module.model(torch.nn).eval(), mode, module.data(batch)[0])

    def step():
        with torch.no_grad():
            return network(x)

    return step


def jax_step(mode, module, batch) -> Step:
    import jax

    if module is b_mlp:
        forward, parameters = b_mlp.jax_forward(jax.nn.relu), b_mlp.jax_parameters(b_mlp.sizes())
    else:
        forward, parameters = module.jax_forward, module.jax_parameters()
    x = c_convolution.jax_data(batch)[0] if module is c_convolution else module.data(batch)[0]
    parameters, x = jax.tree.map(jax.numpy.asarray, (parameters, x))
    compiled = jax.jit(forward)
    return lambda: compiled(parameters, x).block_until_ready()


def _workload(letter: str, batch: int) -> Workload:
    module = TRAINED[letter]
    steps = {"ichikara": ichikara_step, "torch": torch_step, "jax": jax_step}
    return Workload(
        f"I-{letter}-{batch}",
        f"{letter} without gradients, batch {batch}",
        module.model,
        {library: partial(step, module=module, batch=batch) for library, step in steps.items()},
        cost.inference(module.layers(batch=batch)),
        ("channels-last",) if letter == "C" else (),
    )


WORKLOADS = [_workload(letter, batch) for letter in TRAINED for batch in BATCHES]
