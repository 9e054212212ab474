"""The seam: who attaches to it sees every event of a training step, computes if it likes, and leaves no trace."""

import ast
import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pytest

import ichikara
from ichikara import nn, optim
from ichikara.arrays import EVENTS, Interpreter, Observer, interpreting, seam

SOURCE = Path(ichikara.__file__).parent


class Log(Observer):
    """Notes the name of each event, and lets it pass."""

    def __init__(self):
        super().__init__()
        self.events = []


def noting(event):
    def note(self, *arguments, **options):
        self.events.append((event, *arguments))
        return getattr(Observer, event)(self, *arguments, **options)

    return note


for event in EVENTS:
    setattr(Log, event, noting(event))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.25), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)


def training():
    """A step of training with dropout, batch normalisation, clipping and a schedule, and what it changes."""
    ichikara.seed(0)
    model = Network()
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    schedule = optim.StepLR(optimizer, step_size=1)
    x, labels = numpy.linspace(-1, 1, 24, dtype="float32").reshape(6, 4), numpy.arange(6) % 3

    def step():
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), ichikara.asarray(labels))
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        return loss

    return model, step


def test_an_observer_sees_every_event_of_a_training_step_and_leaves_no_trace():
    model, step = training()
    log, before = Log(), seam.interpreter
    with interpreting(log):
        loss = step()
        loss.item()
    assert seam.interpreter is before
    seen = {event for event, *_ in log.events}
    assert seen >= set(EVENTS) - {"replaced"}
    model.layers[0].weight.data = numpy.ones((8, 4))
    with interpreting(log):
        model.layers[0].weight.data = numpy.ones((8, 4))
    assert log.events[-1][0] == "replaced"
    count = len(log.events)
    step()
    assert len(log.events) == count


def test_an_observer_changes_no_number():
    watched, step = training()
    with interpreting(Log()):
        for _ in range(3):
            step()
    alone, step = training()
    for _ in range(3):
        step()
    for mine, theirs in zip(watched.state_dict().values(), alone.state_dict().values(), strict=True):
        numpy.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_the_events_say_what_happened():
    model, step = training()
    log = Log()
    with interpreting(log):
        step()
    operations = [arguments[0].name for event, *arguments in log.events if event == "forward"]
    assert operations.count("linear") == 2
    rules = [(arguments[0].name, *arguments[2]) for event, *arguments in log.events if event == "backward"]
    assert ("tanh", "x") in rules
    parameters = list(model.parameters())
    assert {id(leaf) for event, leaf, *_ in log.events if event == "gradient"} == {id(p._node) for p in parameters}
    modules = [type(arguments[0]).__name__ for event, *arguments in log.events if event == "run_module"]
    assert modules[:3] == ["Network", "Sequential", "Linear"]
    assigned = [arguments[1] for event, *arguments in log.events if event == "assigned"]
    assert assigned == ["num_batches_tracked", "running_mean", "running_var"]


def test_the_events_are_seen_in_their_own_thread_only():
    log = Log()
    with interpreting(log):
        thread = threading.Thread(target=training()[1])
        count = len(log.events)
        thread.start()
        thread.join()
    assert len(log.events) == count


def test_an_interpreter_that_computes_otherwise():
    class Doubling(Interpreter):
        def forward(self, operation, arguments, wanted):
            return 2 * operation.function(*arguments), operation

    with interpreting(Doubling()):
        assert ichikara.exp(0.0).item() == 2.0
    assert ichikara.exp(0.0).item() == 1.0


# --- no floor below knows a wing --------------------------------------------------------------------------------------

WINGS = {"fast", "xla", "stage"}
NAMES = {
    *("recorder", "recording", "recorded", "kernel", "kernels", "fitting", "quick", "onto", "tape", "leak", "Once"),
    *("replay", "capture", "compiled", "fused_kernel", "numba", "workers", "threads", "applied", "repeated"),
}
FLOORS = [path for floor in ("arrays", "autodiff", "ops", "nn", "optim") for path in (SOURCE / floor).rglob("*.py")]


@pytest.mark.parametrize("path", FLOORS, ids=lambda path: ".".join(path.relative_to(SOURCE).with_suffix("").parts))
def test_the_floors_know_no_wing(path):
    """They import none, and use no name of one: what they say to it are the events of the seam."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert not WINGS & set((node.module or "").split(".")), ast.unparse(node)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "seam.interpreter":
            assert node.attr in EVENTS
        name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", None)
        assert name not in NAMES - ALLOWED.get(path.name, set()), f"line {node.lineno}: {name}"


ALLOWED = {  # words of the field: the window of a convolution, and the kernel that moves with it
    "conv.py": {"kernel"},
    "window.py": {"kernel"},
    "pool.py": {"kernel"},
    "pooling.py": {"kernel"},
}


def test_without_the_wing_all_works_and_staged_functions_say_so_once():
    program = """
import sys, warnings
sys.modules["ichikara.fast"] = None
import ichikara, numpy
from ichikara import nn, optim
model = nn.Sequential(nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 2))
optimizer = optim.Adam(model.parameters())
x = numpy.ones((100, 300), "float32")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    steps = [ichikara.stage(lambda: model(x).sum()), ichikara.stage(lambda: model(x).sum())]
    steps[0]().backward()
    optimizer.step()
    steps[1]()
print(len(caught), str(caught[0].message))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 ichikara.fast cannot be imported")
