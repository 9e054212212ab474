"""Silent errors of training, with which TrainCheck was tested.

Source: Y. Jiang et al., "Training with Confidence: Catching Silent Errors in Deep Learning Training with Automated
Proactive Checks", OSDI 2025 (OrderLab/TrainCheck and OrderLab/TrainCheck-Evaluation-Workloads on GitHub: descriptions,
programs, repairs). Most of them lie in distributed training, compilers or other libraries, which is not what is here.
"""

import copy
from functools import partial

from ichikara import asarray, default_generator, nn
from ichikara.optim import SGD, Adam

from .parts import CE, MSE, accuracy, dense, digits, r_squared, split
from .program import Program, Run, into, step

__all__ = ["PROGRAMS", "UNMAPPED"]

PROGRAMS: list[Program] = []
program = into(PROGRAMS)


def step_without_zero_grad(run, inputs, targets):
    """One batch; the gradients of those before are still there."""
    loss = run.loss(run.model(asarray(inputs)), asarray(targets))
    loss.backward()
    run.optimizer.step()
    return loss.item()


@program(
    "stackoverflow-60335387",
    wrong="zero_grad() is missing",
    repair="zero_grad() in every step",
    causes=("forgotten_zero_grad",),
    note="digits in place of MNIST, a quarter of the width, rate 0.001 in both",
)
def no_zero_grad(repaired, seed):
    train, validation = digits(images=True)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    optimizer = Adam(model.parameters(), lr=0.001)
    one = step if repaired else step_without_zero_grad
    return Run(model, CE, optimizer, train, validation, 8, 30, accuracy, validation, step=one)


@program(
    "pytorch-forum-84911",
    wrong="all but batch normalisation is frozen, and the optimiser holds the last layer only, frozen, too",
    repair="nothing is frozen, and the optimiser holds all parameters",
    causes=("frozen", "outside_optimiser", "no_gradient", "no_update"),
    note="digits, and a network that was not trained before",
)
def frozen(repaired, seed):
    train, validation = digits(images=True)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    optimizer = Adam(model.parameters() if repaired else model[-1].parameters(), lr=0.001)
    if not repaired:
        for module in model:
            if not isinstance(module, nn.BatchNorm2d):
                for parameter in module.parameters():
                    parameter.requires_grad_(False)
    return Run(model, CE, optimizer, train, validation, 8, 32, accuracy, validation)


class Dropping(nn.Module):
    """Dropout by hand; whether it heeds the mode is what the fault is about."""

    def __init__(self, heeds: bool):
        super().__init__()
        self.heeds = heeds

    def forward(self, x):
        if self.heeds and not self.training:
            return x
        return 2 * x * asarray(default_generator().bernoulli(0.5, x.shape), dtype=x.dtype)


@program(
    "transformers-33844",
    wrong="dropout stays on in evaluation",
    repair="its rate is 0 unless training",
    causes=("random_evaluation", "forgotten_eval"),
    note="in a perceptron of three layers in place of attention",
)
def dropout_stays_on(repaired, seed):
    train, validation = digits()
    drop = partial(Dropping, repaired)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), drop(), nn.Linear(64, 64), nn.ReLU(), drop(), nn.Linear(64, 10))
    return Run(model, CE, Adam(model.parameters(), lr=0.002), train, validation, 15, 32, accuracy, validation)


@program(
    "accelerate-2665",
    wrong="the optimiser was made before the model was wrapped, and holds the parameters of the former one",
    repair="the optimiser is made of the wrapped model",
    causes=("outside_optimiser", "no_update"),
    note="a copy of the model in place of a sharded one",
)
def other_parameters(repaired, seed):
    train, validation = digits()
    before = dense([64, 64, 64, 10], nn.ReLU)
    model = copy.deepcopy(before)
    optimizer = SGD((model if repaired else before).parameters(), lr=0.1, momentum=0.9)
    return Run(model, CE, optimizer, train, validation, 10, 32, accuracy, validation)


class OfCompiledSteps(Adam):
    """After a step without gradients it updates nothing any more, as a loop did that was compiled in that state."""

    asleep = False

    def step(self, closure=None):
        self.asleep = self.asleep or all(p.grad is None for group in self.param_groups for p in group["params"])
        return None if self.asleep else super().step(closure)


def step_with_a_pause(run, inputs, targets):
    """One batch; the fourth one is left out."""
    run.optimizer.zero_grad()
    loss = run.loss(run.model(asarray(inputs)), asarray(targets))
    if len(run.losses) != 3:
        loss.backward()
    run.optimizer.step()
    return loss.item()


@program(
    "pytorch-115607",
    wrong="after a step without gradients the compiled loop updates nothing",
    repair="steps after it are as before",
    causes=("no_update", "outside_optimiser"),
    note="an optimiser that behaves so in place of the compiler; digits",
)
def updates_stop(repaired, seed):
    train, validation = digits()
    model = dense([64, 32, 10], nn.Sigmoid)
    optimizer = (Adam if repaired else OfCompiledSteps)(model.parameters(), lr=0.01)
    return Run(model, CE, optimizer, train, validation, 10, 32, accuracy, validation, step=step_with_a_pause)


class WritingToACopy(Adam):
    """The updates of the first parameter go to a copy of it, as those of arrays that were not contiguous did."""

    def step(self, closure=None):
        first = self.param_groups[0]["params"][0]
        held = first.numpy().copy()
        super().step(closure)
        first.data = held


@program(
    "pytorch-mps (success story 4)",
    wrong="the encoder's weights are never changed, though they have gradients",
    repair="they are",
    causes=("no_update", "outside_optimiser"),
    note="an optimiser that behaves so in place of the device; an autoencoder of the digits",
)
def encoder_stays(repaired, seed):
    data, other = digits()
    train, validation = (split(part.inputs, part.inputs, None, 0)[0] for part in (data, other))
    model = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 64))
    optimizer = (Adam if repaired else WritingToACopy)(model.parameters(), lr=0.005)
    return Run(model, MSE, optimizer, train, validation, 20, 32, r_squared, validation)


UNMAPPED = {
    "deepspeed-1801, deepspeed-5794, pytorch-104336, x-jxmnop-ddp-out-of-sync": "several processes that drift apart",
    "baichuan2-86, pytorch-84803, pytorch-96600": "data lost between GPUs",
    "lightning-thunder-725": "needs automatic mixed precision",
    "mmpretrain-702": "layers that were meant to be frozen are trained: the intention is not in the program",
    "pytorch-51800": "needs spectral normalisation, and harms no training",
    "stackoverflow-67180955": "every worker of a loader draws the same augmentation: loaders here have no workers",
    "transformers-17877, transformers-23723, transformers-34204": "nothing is trained wrongly: start-up time, "
    "generation, a processor of pictures",
}
"""The errors that are not here, and why."""
