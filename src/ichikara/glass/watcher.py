"""Watching a training: measurements and events of its steps, by an interpreter around the one that computes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..arrays import EVENTS, Generator, Observer, interpreting, seam
from ..autodiff import Operation, Tensor, flatten, is_grad_enabled
from ..errors import UserError
from ..nn import Module
from . import statistics
from .lines import users_line
from .measures import ACTIVATIONS, Measures, as_numpy
from .record import Event, Record
from .sampling import is_kept, is_watched

__all__ = ["Watcher", "watch"]


def _looked_at(x, /, layer=""):
    """The output of a layer as it is. Its rule is where the gradient by the output passes."""
    return x


_LOOKED_AT = Operation(_looked_at, r"y = x")
_LOOKED_AT.gradient(x=(r"\bar x = \bar y", lambda g, layer: g))


@contextmanager
def watch(model: Module, optimizer: Any = None, record: Record | None = None) -> Iterator[Record]:
    """A block in which the training of a network is watched. Gives the record, which grows with each step.

    Some steps are watched, densely at first and then ever more sparsely. What is measured is in
    `ichikara.glass.record.QUANTITIES`, and the events are in `EVENT_KINDS`. The numbers of the training stay the same,
    bit for bit. A step ends with the optimiser's update. Steps replayed by `ichikara.stage` are not seen; a `Trainer`
    watches its steps itself, replayed or not.

    Arguments: ``model``; ``optimizer``, whose update ends a step, by default the first that makes one; ``record``, one
    to continue.

    Raises UserError for what is no module.

    >>> from ichikara import asarray, nn, optim
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> with watch(model) as record:
    ...     for _ in range(3):
    ...         optimizer.zero_grad()
    ...         loss = nn.MSELoss()(model([[1.0, 2.0], [3.0, 4.0]]), asarray([[1.0], [2.0]]))
    ...         loss.backward()
    ...         optimizer.step()
    >>> [event.kind for event in record.events if event.step == 1 and not event.layer]
    ['cleared', 'call', 'loss', 'backward', 'update']
    >>> record.layers("activation_mean")
    ['0', '1', '2']
    """
    if not isinstance(model, Module):
        raise UserError(f"a network is watched, which is a Module, not {type(model).__name__}")
    watcher = Watcher(model, optimizer, record)
    first = max((row.step for row in watcher.record.rows), default=0) + 1
    with interpreting(watcher):
        watcher.begin(first, is_watched(first))
        try:
            yield watcher.record
        finally:
            watcher.end()


class _Call(NamedTuple):
    """A call of a module that is not done. Arguments: ``first``, whether it is the one of its step that is measured."""

    path: str
    module: Module
    first: bool


class Watcher(Observer):
    """Notes what happens while others compute, and changes no number.

    In a step that is watched it measures. In the others it notes the sequence of events alone, and everything else goes
    past it to the interpreter inside.

    Arguments: ``model``; ``optimizer``, whose update ends a step; ``record``; ``alone``, whether a step ends with the
    update, and its loss is the one that was computed; else `begin`, `end` and the caller's loss say so.
    """

    def __init__(self, model: Module, optimizer: Any = None, record: Record | None = None, alone: bool = True):
        super().__init__()
        self.model, self.optimizer, self.alone = model, optimizer, alone
        self.record = Record() if record is None else record
        self.fuses_modules = getattr(self.inner, "fuses_modules", False)
        self.measures = Measures()
        self._sequences: set[tuple] = set()  # of events, those that are in the record
        self._training: bool | None = None  # the mode in which the network was called last
        self._paths: dict[Module, str] = {}
        self._parameters: dict[Tensor, str] = {}
        self.updates, self.updated = True, False  # whether to let optimisers update, and whether one was about to
        self.begin(0, looking=False)

    # --- a step -------------------------------------------------------------------------------------------------------

    def begin(self, step: int, looking: bool) -> None:
        """A step begins. Arguments: ``step``, its number; ``looking``, whether it is watched."""
        self.step, self.looking = step, looking
        self._events: list[Event] = []
        self._stack: list[_Call] = []
        self._calls: dict[Module, dict[str, Any]] = {}  # the modules that were called, with what is noted of them
        self._outputs: list[Tensor] = []  # those that were measured
        self._made: dict[int, tuple[Any, str]] = {}  # by identity, the output of an activation, and its operation
        self._passes: dict[int, tuple[Any, str]] = {}  # by identity, a backward pass through time, and its layer
        self._in_loss = False
        self._loss: tuple[Any, bool] = None, False  # the loss, and whether it is one, or just the last single number
        self._before: list[tuple[Tensor, str, Any]] = []  # parameters that are about to be updated, and their arrays
        self._swept = False  # whether there was a sweep since the network was called
        if looking or not self._paths:
            self._paths = {module: path for path, module in self.model.named_modules()}
            self._parameters = {parameter: path for path, parameter in self.model.named_parameters()}
        for event in EVENTS:
            self.__dict__.pop(event, None)
            if not looking and event not in ("run_module", "update", "cleared", "backward", "effect"):
                self.__dict__[event] = getattr(self.inner, event)  # without the way through this object

    def end(self) -> None:
        """The step is over: what it has brought goes into the record."""
        told = [event for event in self._events if event.kind != "loss" and (event.kind != "call" or not event.layer)]
        sequence = tuple((e.kind, *(e.about.get(name) for name in ("training", "grad", "held"))) for e in told)
        if self._events and (self.looking or sequence not in self._sequences):
            self._sequences.add(sequence)
            self.record.events += self._events
        if self.alone and self._loss[0] is not None:
            self.measures.add("", {"loss": float(self._loss[0])})
        self.record.rows += self.measures.taken(self.step)

    def _note(self, kind: str, layer: str = "", about: dict[str, Any] | None = None) -> None:
        self._events.append(Event(self.step, kind, layer, about or {}, users_line() if self.looking else ""))

    @property
    def _looks(self) -> bool:
        """Whether to look. What a capture around this interpreter passes on has no numbers yet."""
        return self.looking and isinstance(seam.interpreter, Watcher)

    # --- what is called -----------------------------------------------------------------------------------------------

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        if self._stack and not self._looks:
            return self.inner.run_module(module, arguments, options)
        parts = getattr(module, "in_one", (module,))  # modules that are computed as one
        if parts[-1] not in self._paths:
            return self._run_other(module, arguments, options)
        path, first = self._paths[parts[-1]], is_grad_enabled() and parts[-1] not in self._calls
        if not self._stack:
            self._swept = False
            self.__dict__.pop("backward", None)  # to see the next sweep
            self._note_mode(parts[-1])
        noted = [self._note_call(part) for part in parts]
        self._stack.append(_Call(path, parts[-1], first))
        try:
            output = self.inner.run_module(module, arguments, options)
        finally:
            self._stack.pop()
        if not self._looks:
            return output
        for about in noted:
            about.setdefault("inputs", _shapes(arguments))
            about.setdefault("output", _shapes(output))
        if not self._stack:
            sizes = [value.shape[0] for value in arguments if isinstance(value, Tensor) and value.ndim]
            self.measures.add("", {"batch_size": float(sizes[0])} if sizes else {})
        return self._with_gradient(path, arguments, output) if first else output

    def _note_mode(self, module):
        training = module.__dict__["training"]
        if self._training not in (None, training):
            self._note("mode", self._paths[module], {"training": training})
        self._training = training

    def _note_call(self, module) -> dict[str, Any]:
        """Note the call of a module. A further one is only counted; of the network, if nothing else came between."""
        about = self._calls.get(module)
        if about is not None and (self._stack or self._events[-1].about is about):
            about["times"] += 1
            return about
        mode = {"training": module.__dict__["training"], "grad": is_grad_enabled()}
        about = self._calls[module] = {"type": type(module).__name__, **mode, "times": 1}
        self._note("call", self._paths[module], about)
        return about

    def _run_other(self, module, arguments, options):
        """Run a module that is no part of the network: a loss, as it seems, if it gives a single number."""
        before, self._in_loss = self._in_loss, True
        try:
            output = self.inner.run_module(module, arguments, options)
        finally:
            self._in_loss = before
        if isinstance(output, Tensor) and not output.ndim and not before and not self._stack:
            if self._looks:
                self._note_loss(type(module).__name__, arguments)
            if self._looks or is_kept(self.step):
                self._loss = output._data, True
        return output

    def _note_loss(self, name, arguments):
        given = [value for value in arguments if hasattr(value, "shape")]
        if given:
            x = as_numpy(given[0]._data if isinstance(given[0], Tensor) else given[0])
            of_several = bool(x.ndim and x.shape[-1] > 1 and x.size)
            sums = of_several and bool((x >= 0).all() and (abs(x.sum(axis=-1) - 1) < 1e-3).all())
            shapes = [list(value.shape) for value in given]
            self._note("loss", "", {"function": name, "shapes": shapes, "sums_to_one": sums})

    # --- what is computed ---------------------------------------------------------------------------------------------

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        if self._looks and not (self._in_loss or self._stack) and _is_loss(composition):
            self._note_loss(composition.name, arguments)
        return self.inner.fuses(composition, arguments)

    def forward(self, operation: Any, arguments: Sequence, wanted: Any) -> tuple[Any, Any]:
        output, used = self.inner.forward(operation, arguments, wanted)
        if wanted and self._looks:
            array = output[0] if used.residuals else output
            if not array.ndim and (_is_loss(operation) or not self._loss[1]):
                self._loss = array, _is_loss(operation)
            if self._stack and self._stack[-1].first:
                self._measure(self._stack[-1], operation.name, arguments, array, output, used)
        return output, used

    def _measure(self, call, name, arguments, array, output, used):
        """Measure an operation that a module's ``forward`` has called."""
        if name in ACTIVATIONS:
            self._made[id(array)] = array, name
            if call.module._modules or call.module._parameters:  # else the output is that of the module
                self.measures.add_output(f"{call.path}.{name}" if call.path else name, array, name)
        elif name in ("attention", "self_attention"):
            q, k, mask = (
                (*arguments[0][:2], arguments[1]) if name == "self_attention" else (*arguments[:2], arguments[3])
            )
            entropy = statistics.attention_entropy(as_numpy(q), as_numpy(k), mask, *arguments[-2:])
            self.measures.add(call.path, {} if entropy is None else {"attention_entropy": entropy})
        elif name in ("rnn", "lstm", "gru") and "backward" in used.residuals:
            through_time = output[1 + used.residuals.index("backward")]
            self._passes[id(through_time)] = through_time, call.path

    def _with_gradient(self, path, arguments, output):
        """The output of a module, measured, and with a place in the graph where its gradient is measured."""
        leaves, rebuild = flatten(output)
        k = next((k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor)), None)
        if k is None or leaves[k]._node is None or any(leaves[k] is one for one in (*self._outputs, *arguments)):
            return output  # it is that of a part
        array = leaves[k]._data
        self.measures.add_output(path, array, self._made.get(id(array), (None, ""))[1])
        leaves[k] = _LOOKED_AT(leaves[k], layer=path)
        self._outputs.append(leaves[k])
        return rebuild(leaves)

    def backward(self, operation: Any, rule: Any, wanted: Sequence, arguments: Sequence) -> Any:
        if not self._swept:
            self._swept = True
            held = any(p._node is not None and p._node.grad is not None for p in self._parameters)
            self._note("backward", "", {"held": held})
        given = self.inner.backward(operation, rule, wanted, arguments)
        if not self.looking:
            self.__dict__["backward"] = self.inner.backward  # until the network is called again
        elif operation is _LOOKED_AT:
            self.measures.add(arguments[1], statistics.of_gradient(as_numpy(arguments[0])))
        elif self._passes and "backward" in rule.needs:
            through_time, path = self._passes.get(id(arguments[rule.needs.index("backward")]), (None, ""))
            if through_time is not None:
                self.measures.add(path, statistics.of_time(through_time(arguments[rule.needs.index("g")]).x))
        return given

    def effect(self, method: Any, *arguments: Any, **options: Any) -> Any:
        if self._stack and not self._stack[0].module.__dict__["training"] and isinstance(arguments[0], Generator):
            self._note("draw", self._stack[-1].path, {"training": False})
        return self.inner.effect(method, *arguments, **options)

    # --- what changes -------------------------------------------------------------------------------------------------

    def cleared(self, parameters: Sequence) -> None:
        if any(parameter in self._parameters for parameter in parameters):
            self._note("cleared")
        self.inner.cleared(parameters)

    def update(self, optimizer: Any, gradients: Sequence) -> None:
        about: dict[str, Any] = {"optimizer": type(optimizer).__name__}
        if self._looks:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            names = [self._parameters.get(parameter, "") for parameter in parameters]
            about["lr"] = float(optimizer.param_groups[0]["lr"])
            about["without_gradient"] = [name for name, g in zip(names, gradients, strict=True) if name and g is None]
            about["outside"] = [n for p, n in self._parameters.items() if p.requires_grad and n not in names]
            self.measures.add("", {"lr": about["lr"]})
            self.measures.add_gradients(self.step, names, [p._data for p in parameters], gradients)
            # A reference keeps an optimiser from changing an array in place; a replay would, so there it is a copy.
            kept = lambda array: array if self.updates else as_numpy(array).copy()
            changed = zip(parameters, names, gradients, strict=True)
            self._before += [(p, name, kept(p._data)) for p, name, g in changed if name and g is not None]
        if self.updates or not self.looking:
            self.inner.update(optimizer, gradients)
            self.measure_updates()
        self._note("update", "", about)
        self.updated = True
        if self.alone and optimizer is (self.optimizer or optimizer):
            self.optimizer = optimizer
            self.end()
            self.begin(self.step + 1, is_watched(self.step + 1))

    def measure_updates(self) -> None:
        """The parameters were updated: measure by how much."""
        for parameter, name, before in self._before:
            self.measures.add_update(name, before, parameter._data)
        self._before = []


def _is_loss(function: Any) -> bool:
    return function.function.__module__.endswith(".ops.loss")


def _shapes(tree: Any) -> list[list[int]]:
    """The shapes of all tensors in a tree."""
    return [list(leaf.shape) for leaf in flatten(tree)[0] if isinstance(leaf, Tensor)]
