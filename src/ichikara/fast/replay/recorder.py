"""The recorder: notes what a step does with arrays while the step is done.

The floors below tell it what they do, as long as it is `recording.recorder`: they let it `run` each function of arrays,
ask it to `read` the numbers of a tensor, and say where they look and what they assign. It knows which values were made
by what, since it hands out `Recorded` ones; so whatever is not recorded was there before, or is a constant.
"""

import gc
import time
import weakref
from collections.abc import Callable, Collection, Sequence
from functools import partial
from operator import add, itemgetter
from typing import Any

import numpy

from ...arrays import Interpreter, Observer, interpreting, seam
from ...autodiff import Tensor, flatten, wrap
from ...autodiff.engine import Node
from ..dispatch import FUNCTIONS, Dispatcher
from ..registry import ALONE, fit_one_kernel
from .functions import (
    as_array,
    as_list,
    as_tensor,
    as_tuple,
    gathering,
    grad,
    held_at,
    numbers,
    numbers_found,
    positional,
    rebuilding,
)
from .instruction import Instruction, Room
from .program import Guards, Outcome, Program, layout_of, reference
from .recorded import Recorded, of_fixed_count, plain
from .small import small_for

__all__ = ["Recorder"]

_LARGE = 1 << 14  # bytes
_PAUSES = (0, 0.01, 0.05, 0.2)  # seconds, before what seems to have been kept is looked for again


class Recorder(Observer):
    """Records one call of a function."""

    fuses_modules = True

    def __init__(self, inner: Interpreter | None = None):
        super().__init__(inner)
        self._dispatcher = _dispatcher_in(self.inner)
        self._code: list[Instruction] = []
        self._values: list = []  # by slot: the constants, and None for what is computed
        self._constants: dict[int, int] = {}  # the slots of constants, by their identity
        self._large = False  # whether there have been arrays of many numbers
        self._made: list[weakref.ref] = []
        self._seen: dict[int, tuple[Tensor, Recorded]] = {}  # tensors from outside, by identity
        self._found: dict[int, tuple[Tensor, Any, Callable]] = {}  # those that others give: who, and how
        self._begin = Node(numpy.empty(0)).order  # leaves of a lower order are made by the step
        self._grads: dict[Node, None] = {}  # the others whose gradients were looked at or replaced
        self._buffers: dict[tuple[int, str], dict] = {}  # where a buffer was assigned
        self._guards = Guards([], [], [], [], [], [])
        self._guarded: set = set()

    def record(self, step: Callable, args: tuple, kwargs: dict, arrays: list) -> tuple[Any, Program]:
        """Do the step; what it returns, and the program. ``arrays`` are those among the arguments, in their order."""
        inputs = iter([self._give(self._slot(), array) for array in arrays])
        args, kwargs = _with_inputs((args, kwargs), inputs)
        try:
            with interpreting(self):
                result = step(*args, **kwargs)
                del args, kwargs, inputs
                result, outcome = self._finish(result)
        except BaseException:
            self._make_plain()
            raise
        finally:
            self._seen.clear()
        self._refuse_kept()
        program = Program(self._code, self._values, len(arrays), self._large, outcome, self._guards)
        return result, program

    # --- the events of the seam ---------------------------------------------------------------------------------------

    def forward(self, operation: Any, arguments: Sequence, wanted: Collection) -> tuple[Any, Any]:
        if operation.slices:
            for part in arguments[1] if isinstance(arguments[1], tuple) else (arguments[1],):
                of_fixed_count(part)
        known = [plain(value) for value in arguments]
        for found in (*self._dispatcher.candidates(operation, known, wanted), operation):
            of = operation.name, ALONE if getattr(found, "inference", False) else ""
            output = self.run(found.function, arguments, of=of)
            if output is not NotImplemented:
                return output, found
        raise AssertionError(f"{operation.name} has no implementation for these arguments")

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        return self._dispatcher.fuses(composition, [plain(getattr(value, "_data", value)) for value in arguments])

    def backward(self, operation: Any, rule: Any, wanted: Sequence, arguments: Sequence) -> Any:
        if not rule.joint:
            return self.run(rule.function, arguments, of=(operation.name, wanted[0]))
        found = self.run(partial(_in_order, rule.function, tuple(wanted)), arguments)
        return dict(zip(wanted, found, strict=True))

    def call(self, function: Callable, *arguments: Any) -> Any:
        return self.run(FUNCTIONS.get(function, function), arguments, of=("add", "") if function is add else None)

    def effect(self, method: Callable, *arguments: Any, **options: Any) -> Any:
        owner, *rest = arguments
        return self.run(partial(method, owner), rest, options, effect=True)

    def update(self, optimizer: Any, gradients: Sequence) -> None:
        self.run(*self._dispatcher.repeatable_update(optimizer, gradients))
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for parameter in parameters:
            self._guard_numbers(parameter)
            self.replaced(parameter)
        self._guard(self._guards.optimizers, optimizer, parameters)

    def concrete(self, what: str) -> None:
        raise TypeError(
            f"{what} was asked for inside a staged function, and cannot be replayed: use where() instead of if, and "
            "return the tensor to read it outside"
        )

    def run(
        self,
        function: Callable,
        args: Any,
        options: dict | None = None,
        effect: bool | None = None,
        of: tuple[str, str] | None = None,
        again: Callable | None = None,
    ) -> Any:
        """The value of a function, which the replays will call too; NotImplemented is handed on and not recorded.

        Arguments: ``effect``, whether it is called for what it changes, by default where it returns None; ``of``, the
        operation that it is and the input whose rule it is, or an empty word: for these a small kernel may be found, or
        one that does it together with another. None if it is no operation. ``again``, what does an effect so that it
        can be repeated.
        """
        if options:
            function, args = positional(function, args, options)
        before = len(self._code)
        own, seam.interpreter = seam.interpreter, self.inner
        try:
            taken = [self._take(arg) for arg in args]
            output = function(*[value for value, _ in taken])
        finally:
            seam.interpreter = own
        if output is NotImplemented:
            del self._code[before:]
            return output
        effect = output is None if effect is None else effect
        fits = of if of and fit_one_kernel([value for value, _ in taken]) else None
        found = self._small(function, of, taken, output, fits) if of else None
        if found is not None:
            return found
        slots = tuple(slot for _, slot in taken)
        for position, arg in enumerate(args):
            if arg.__class__ is dict:  # a place for further results
                into = taken[position][0]
                function, output = gathering(function, position, tuple(into)), (output, *into.values())
                output, *others = self._note(function, slots, output, effect, fits)
                arg.update(zip(into, others, strict=True))
                return output
        return self._note(function, slots, output, effect, fits, again)

    def read(self, tensor: Tensor) -> Any:
        """The numbers of a tensor as they are in each replay."""
        array = tensor._data
        if array.__class__ is Recorded:
            if array.recorder is not self:
                raise RuntimeError(
                    f"a tensor of shape {tensor.shape} comes from inside a staged function; return it to use it outside"
                )
            return array
        seen = self._seen.get(id(tensor))
        if seen is None:
            if not tensor.is_leaf:
                raise RuntimeError(
                    f"a tensor of shape {tensor.shape} that requires a gradient was made outside of the staged "
                    "function; make it inside, or give it as detach()"
                )
            _, *given_by = self._found.get(id(tensor), (tensor,))
            self._guard_numbers(tensor, *given_by)
            function, found_in = (numbers_found, given_by) if given_by else (numbers, (tensor,))
            noted = self._note(function, tuple(map(self._constant, found_in)), array)
            seen = self._seen[id(tensor)] = tensor, noted
        return seen[1]

    def replaced(self, tensor: Tensor) -> None:
        """The numbers of a tensor from outside were replaced."""
        self._seen.pop(id(tensor), None)

    def attribute(self, module: Any, kind: str, name: str) -> None:
        held = vars(module)
        if kind == "training":
            self._guard(self._guards.modules, held, held["training"])
        elif kind != "_modules":
            self.found(held[kind], name, kind == "_buffers")

    def found(self, held: dict, name: str, changing: bool) -> None:
        """A tensor was taken from where a module holds it; ``changing`` where steps put others there."""
        tensor = held[name]
        if tensor is None or isinstance(tensor._data, Recorded) or (id(held), name) in self._buffers:
            return
        if changing:
            self._found.setdefault(id(tensor), (tensor, (held, name), held_at))
        elif (id(held), name) not in self._guarded:
            self._guarded.add((id(held), name))
            self._guards.places.append((held, name, tensor))

    def assigned(self, module: Any, name: str) -> None:
        held = vars(module)["_buffers"]
        self._buffers[id(held), name] = held

    def gradient(self, leaf: Any, replaced: bool = False) -> None:
        if leaf in self._grads or leaf.order < self._begin:
            return
        if not replaced:
            if leaf.grad is not None:
                self._found.setdefault(id(leaf.grad), (leaf.grad, leaf, grad))
            self._guards.grads.append((leaf, leaf.grad is None))
        self._grads[leaf] = None

    # --- slots --------------------------------------------------------------------------------------------------------

    def _guard(self, guards: list, thing: Any, value: Any) -> None:
        if id(thing) not in self._guarded:
            self._guarded.add(id(thing))
            guards.append((thing, value))

    def _guard_numbers(self, tensor: Tensor, *given_by: Any) -> None:
        """Let the recording depend on how the numbers of a tensor lie, and who gives it if it is others each time."""
        if given_by:
            self._guards.sources.append([*given_by, tensor._node, layout_of(tensor._data)])
        elif id(tensor) not in self._guarded:
            self._guarded.add(id(tensor))
            self._guards.tensors.append([tensor, tensor._node, reference(tensor._data), layout_of(tensor._data)])

    def _slot(self) -> int:
        self._values.append(None)
        return len(self._values) - 1

    def _constant(self, value: Any) -> int:
        """The slot of a constant."""
        if id(value) not in self._constants:
            self._constants[id(value)] = slot = self._slot()
            self._values[slot] = value
        return self._constants[id(value)]

    def _take(self, arg: Any) -> tuple[Any, int]:
        """What a function is called with for an argument, and its slot."""
        kind = arg.__class__
        if kind is Recorded:
            if arg.recorder is not self:
                arg._noted(None, ())  # which says what is wrong
            return arg.value, arg.slot
        if isinstance(arg, Tensor):
            value, slot = self._take(self.read(arg))
            return wrap(value, None), self._noted(as_tensor, (slot,))
        if kind is dict:
            return {}, self._constant(None)
        if kind in (tuple, list):
            parts = [self._take(part) for part in arg]
            if any(self._values[slot] is None and part is not None for part, slot in parts):
                slot = self._noted(as_list if kind is list else as_tuple, tuple(slot for _, slot in parts))
                return kind(part for part, _ in parts), slot
        return arg, self._constant(arg)

    def _noted(self, function: Callable, takes: tuple[int, ...], *details: Any) -> int:
        slot = self._slot()
        self._code.append(Instruction(function, takes, slot, *details))
        return slot

    def _note(self, function: Callable, takes: tuple[int, ...], output: Any, *details: Any):
        """Note an instruction, with its effect and so on; its value, recorded, or a row of recorded values."""
        slot = self._noted(function, takes, *details)
        if not isinstance(output, tuple | list):
            return self._give(slot, output)
        parts = [self._give(self._noted(itemgetter(k), (slot,)), part) for k, part in enumerate(output)]
        return parts if isinstance(output, list) else tuple(parts)

    def _small(self, function: Callable, of: tuple[str, str], taken: list[tuple[Any, int]], output: Any, fits: Any):
        """Note a small kernel in the place of a function; the recorded results, None where there is no such kernel."""
        results = output if isinstance(output, tuple) else (output,)
        names = function.__code__.co_varnames[: len(taken)]
        given = {name: as_array(value) for name, (value, _) in zip(names, taken, strict=True)}
        if not all(hasattr(result, "shape") for result in results):
            return None
        found = small_for(*of, given, [*map(as_array, results)])
        if found is None:
            return None
        kernel, needs = found
        rooms = tuple(Room(self._slot(), result.shape, result.dtype) for result in results)
        slots = {
            name: slot if given[name] is value else self._noted(as_array, (slot,))
            for name, (value, slot) in zip(names, taken, strict=True)
            if name in needs
        }
        takes = tuple(slots[name] for name in needs)
        self._code.append(Instruction(kernel, takes, self._slot(), rooms=rooms, of=fits))
        parts = tuple(self._give(room.slot, result) for room, result in zip(rooms, results, strict=True))
        return parts if isinstance(output, tuple) else parts[0]

    def _give(self, slot: int, value: Any) -> Any:
        """A value for the step to go on with."""
        if value is None:
            return None
        self._large |= getattr(value, "nbytes", 0) >= _LARGE
        recorded = Recorded(self, slot, value)
        self._made.append(weakref.ref(recorded))
        return recorded

    # --- the end ------------------------------------------------------------------------------------------------------

    def _finish(self, result: Any) -> tuple[Any, Outcome]:
        """What the step returned, with plain arrays; and the slots of all that is left behind."""
        leaves, rebuild = flatten(result)
        returned, places, finished = [], [], []
        for k, leaf in enumerate(leaves):
            tensor = isinstance(leaf, Tensor)
            value = leaf._data if tensor else leaf
            if isinstance(value, Recorded):
                returned.append((value.slot, tensor))
                places.append(k)
                leaf = wrap(value.value, None) if tensor else value.value
            finished.append(leaf)
        buffers = [(held, name) for (_, name), held in self._buffers.items() if held[name] is not None]
        outcome = Outcome(
            rebuilding(rebuild, finished, places),
            returned,
            [(leaf, None if leaf.grad is None else self._slot_of(leaf.grad)) for leaf in self._grads],
            [(held, name, self._slot_of(held[name])) for held, name in buffers],
        )
        self._make_plain()
        # Where a parameter was lent to a module for a call, the loan is over.
        self._guards.places[:] = [place for place in self._guards.places if place[0].get(place[1]) is place[2]]
        return rebuild(finished), outcome

    def _slot_of(self, tensor: Tensor) -> int:
        data = tensor._data
        return data.slot if isinstance(data, Recorded) else self._constant(data)

    def _make_plain(self) -> None:
        """Gradients and buffers stay, with plain arrays."""
        tensors = [leaf.grad for leaf in self._grads] + [held[name] for (_, name), held in self._buffers.items()]
        for tensor in tensors:
            if tensor is not None and isinstance(tensor._data, Recorded):
                tensor._data, tensor._node = tensor._data.value, None

    def _refuse_kept(self) -> None:
        """Raise RuntimeError where the step has kept a value, which would be an old one after a replay."""
        self._found.clear()
        for pause in _PAUSES:
            if not self._kept():
                return
            time.sleep(pause)
            gc.collect()  # of what goes in circles; it does nothing while another thread is at it
        kept = self._kept()
        if kept:
            raise RuntimeError(
                f"{kept} was kept by a staged function (in a list, or as an attribute that is no buffer), and no "
                "replay would renew it; return it from the function instead"
            )

    def _kept(self) -> str:
        """A value that somebody still holds, in words; empty if there is none."""
        return next((repr(value) for ref in self._made if (value := ref()) is not None), "")


def _with_inputs(tree: Any, inputs: Any) -> Any:
    """The arguments, with recorded values in the place of arrays and of tensors without a gradient."""
    if isinstance(tree, Tensor):
        return tree if tree.requires_grad else wrap(next(inputs), None)
    if type(tree) is numpy.ndarray:
        return next(inputs)
    if type(tree) is dict:
        return {key: _with_inputs(value, inputs) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        parts = [_with_inputs(value, inputs) for value in tree]
        return type(tree)._make(parts) if hasattr(tree, "_make") else type(tree)(parts)
    return tree


def _dispatcher_in(interpreter: Any) -> Dispatcher:
    """What dispatches beneath observers."""
    while not isinstance(interpreter, Dispatcher):
        interpreter = getattr(interpreter, "inner", None) or Dispatcher()
    return interpreter


def _in_order(rule, names, *arguments):
    """What a rule of several inputs gives for these, in their order."""
    found = rule(*arguments)
    return tuple(found[name] for name in names)
