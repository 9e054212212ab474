"""The tracer: captures what a step does with arrays while the step runs.

It is an observer of the seam. The floors below let it run each function of arrays, ask it for the array of a tensor,
and tell it what they read and assign. All values that are computed during the capture are traced arrays, so the tracer
knows which instruction made them. Any other value was there before, or is a constant.
"""

import weakref
from collections.abc import Callable, Collection, Sequence
from functools import partial
from operator import add, itemgetter
from typing import Any

import numpy

from ...arrays import Interpreter, Observer, interpreting, seam
from ...autodiff import Tensor, flatten, wrap
from ...autodiff.engine import Node
from ...autodiff.graph import Cut
from ..dispatch import FUNCTIONS, Dispatcher
from ..lookup import have_one_dtype
from ..registry import INFERENCE
from .functions import (
    array_of,
    array_of_source,
    as_array,
    as_list,
    as_tensor,
    as_tuple,
    dictionary_as_results,
    entry,
    gradient_of,
    positional,
    rebuilder,
    with_inputs,
)
from .instruction import Instruction, OutputBuffer
from .program import Guards, Outcome, Program, layout_of, reference
from .python_state import PythonState
from .small_kernels import small_kernel_for
from .traced import TracedArray, check_index, check_released, concrete

__all__ = ["Tracer"]

_LARGE = 1 << 14  # bytes
_CUT = Cut(
    "a result of a staged function is to be differentiated, and it has no graph: call backward() inside of the staged "
    "function, stage a function that returns the gradients, or leave this one unstaged; detach() makes a constant of it"
)


class Tracer(Observer):
    """Captures one call of a function."""

    fuses_modules = True

    def __init__(self, inner: Interpreter | None = None):
        super().__init__(inner)
        self._dispatcher = _dispatcher_in(self.inner)
        self._code: list[Instruction] = []
        self._values: list = []  # by slot: the constants, and None for what is computed
        self._constants: dict[int, int] = {}  # the slots of constants, by identity
        self._large = False  # whether there have been large arrays
        self._traced_arrays: list[weakref.ref] = []
        self._reads: dict[int, tuple[Tensor, TracedArray]] = {}  # tensors from outside, by identity
        self._sources: dict[int, tuple[Tensor, Any, Callable]] = {}  # of tensors that may be replaced: source, getter
        self._first_order = Node(numpy.empty(0)).order  # leaves of a lower order are made by the step
        self._grads: dict[Node, None] = {}  # the other leaves whose gradients were read or replaced
        self._buffers: dict[tuple[int, str], dict] = {}  # the buffers of modules that were assigned
        self._guards = Guards(PythonState(), [], [], [], [], [])
        self._guarded: set = set()
        self._asked: set[int] = set()  # tensors whose numbers Python asked for, by identity

    def capture(self, step: Callable, args: tuple, kwargs: dict, arrays: list) -> tuple[Any, Program]:
        """Run the step. Returns its result, and the program.

        Arguments: ``arrays``, those among the arguments, in order.
        """
        for thing in (step, *args, *kwargs.values()):
            self._guards.python.add(thing)
        inputs = iter([self._traced(self._slot(), array) for array in arrays])
        args, kwargs = with_inputs((args, kwargs), inputs)
        try:
            with interpreting(self):
                result = step(*args, **kwargs)
                del args, kwargs, inputs
                result, outcome = self._finish(result)
        except BaseException:
            self._make_concrete()
            raise
        finally:
            self._reads.clear()
        self._sources.clear()
        self._guards.python.read_anew([*self._values, *(tensor._data for tensor, *_ in self._guards.tensors)])
        check_released(self._traced_arrays)
        program = Program(self._code, self._values, len(arrays), self._large, outcome, self._guards)
        return result, program

    # --- the events of the seam ---------------------------------------------------------------------------------------

    def forward(self, operation: Any, arguments: Sequence, wanted: Collection) -> tuple[Any, Any]:
        if operation.slices:
            for part in arguments[1] if isinstance(arguments[1], tuple) else (arguments[1],):
                check_index(part)
        arrays = [concrete(value) for value in arguments]
        for found in (*self._dispatcher.candidates(operation, arrays, wanted), operation):
            name = operation.name, INFERENCE if getattr(found, "inference", False) else ""
            output = self.run(found.function, arguments, operation=name)
            if output is not NotImplemented:
                return output, found
        raise AssertionError(f"{operation.name} has no implementation for these arguments")

    def fuses(self, composition: Any, arguments: Sequence) -> bool:
        return self._dispatcher.fuses(composition, [concrete(getattr(value, "_data", value)) for value in arguments])

    def backward(self, operation: Any, rule: Any, wanted: Sequence, arguments: Sequence) -> Any:
        if not rule.joint:
            return self.run(rule.function, arguments, operation=(operation.name, wanted[0]))
        found = self.run(partial(_in_order, rule.function, tuple(wanted)), arguments)
        return dict(zip(wanted, found, strict=True))

    def call(self, function: Callable, *arguments: Any) -> Any:
        name = ("add", "") if function is add else None
        return self.run(FUNCTIONS.get(function, function), arguments, operation=name)

    def effect(self, method: Callable, *arguments: Any, **options: Any) -> Any:
        owner, *rest = arguments
        return self.run(partial(method, owner), rest, options, effect=True)

    def update(self, optimizer: Any, gradients: Sequence) -> None:
        function, launch = self._dispatcher.captured_update(optimizer)
        self.run(function, gradients, effect=True, launch=launch)
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for parameter in parameters:
            self._guard_layout(parameter)
            self.replaced(parameter)
        if id(optimizer) not in self._guarded:
            self._guarded.add(id(optimizer))
            self._guards.optimizers.append((optimizer, parameters))

    def concrete(self, what: str, tensor: Any = None) -> None:
        known = tensor is not None and not isinstance(tensor._data, TracedArray)
        if not known or tensor.requires_grad or id(tensor) in self._sources:  # no replay would have the same numbers
            raise TypeError(
                f"{what} was asked for inside a staged function, and cannot be replayed: use where() instead of if, "
                "return the tensor to read it outside, and give what decides shapes, such as lengths, as a list"
            )
        if id(tensor) not in self._asked:
            self._asked.add(id(tensor))
            self._guards.numbers.append((tensor, tensor._data.tobytes()))

    def run(
        self,
        function: Callable,
        args: Any,
        options: dict | None = None,
        effect: bool | None = None,
        operation: tuple[str, str] | None = None,
        launch: Callable | None = None,
    ) -> Any:
        """The value of a function, which the replays will call too. NotImplemented is returned and not captured.

        Arguments: ``effect``, whether it has a side effect, by default where it returns None; ``operation``, its name
        and the input whose rule it is, or an empty word: then a small kernel may replace it, or a kernel fuse it with
        another; ``launch``, does the effect by calls through the workspace.
        """
        if options:
            function, args = positional(function, args, options)
        length = len(self._code)
        own, seam.interpreter = seam.interpreter, self.inner
        try:
            operands = [self._operand(arg) for arg in args]
            output = function(*[value for value, _ in operands])
        finally:
            seam.interpreter = own
        if output is NotImplemented:
            del self._code[length:]
            return output
        effect = output is None if effect is None else effect
        fusable = operation if operation and have_one_dtype([value for value, _ in operands]) else None
        found = self._small_kernel(function, operation, operands, output, fusable) if operation else None
        if found is not None:
            return found
        slots = tuple(slot for _, slot in operands)
        for position, arg in enumerate(args):
            if arg.__class__ is dict:  # the function puts further results into it
                filled = operands[position][0]
                function = dictionary_as_results(function, position, tuple(filled))
                output, *others = self._emit(function, slots, (output, *filled.values()), effect, fusable)
                arg.update(zip(filled, others, strict=True))
                return output
        return self._emit(function, slots, output, effect, fusable, launch)

    def read(self, tensor: Tensor) -> Any:
        """The array of a tensor, which each replay reads again."""
        array = tensor._data
        if array.__class__ is TracedArray:
            if array.tracer is not self:
                raise RuntimeError(
                    f"a tensor of shape {tensor.shape} comes from inside a staged function; return it to use it outside"
                )
            return array
        read = self._reads.get(id(tensor))
        if read is None:
            if not tensor.is_leaf:
                raise RuntimeError(
                    f"a tensor of shape {tensor.shape} that requires a gradient was made outside of the staged "
                    "function; make it inside, or give it as detach()"
                )
            _, *source = self._sources.get(id(tensor), (tensor,))
            self._guard_layout(tensor, *source)
            function, args = (array_of_source, source) if source else (array_of, (tensor,))
            traced = self._emit(function, tuple(map(self._constant, args)), array)
            read = self._reads[id(tensor)] = tensor, traced
        return read[1]

    def replaced(self, tensor: Tensor) -> None:
        """The numbers of a tensor from outside were replaced."""
        self._reads.pop(id(tensor), None)

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        self._guards.python.add(module)
        return self.inner.run_module(module, arguments, options)

    def attribute(self, module: Any, kind: str, name: str | None) -> None:
        self._guards.python.add(module)
        if kind == "training":
            self._guards.python.asks_mode(module)
        elif kind == "_buffers":
            self._found(vars(module)[kind], name)

    def _found(self, buffers: dict, name: Any) -> None:
        """A module was asked for a buffer, which steps may replace."""
        tensor = buffers[name]
        if tensor is None or isinstance(tensor._data, TracedArray) or (id(buffers), name) in self._buffers:
            return
        self._sources.setdefault(id(tensor), (tensor, (buffers, name), entry))

    def assigned(self, module: Any, name: str) -> None:
        buffers = vars(module)["_buffers"]
        self._buffers[id(buffers), name] = buffers

    def gradient(self, leaf: Any, replaced: bool = False) -> None:
        if leaf in self._grads or leaf.order < self._first_order:
            return
        if not replaced:
            if leaf.grad is not None:
                self._sources.setdefault(id(leaf.grad), (leaf.grad, leaf, gradient_of))
            self._guards.grads.append((leaf, leaf.grad is None))
        self._grads[leaf] = None

    # --- instructions -------------------------------------------------------------------------------------------------

    def _guard_layout(self, tensor: Tensor, *source: Any) -> None:
        """Guard the layout of a tensor. Arguments: ``source``, the source and its getter if it may be replaced."""
        if source:
            self._guards.sources.append([*source, tensor._node, layout_of(tensor._data)])
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

    def _operand(self, arg: Any) -> tuple[Any, int]:
        """What a function gets for an argument, and its slot."""
        kind = arg.__class__
        if kind is TracedArray:
            if arg.tracer is not self:
                arg._capture(None, ())  # raises the error
            return arg.value, arg.slot
        if isinstance(arg, Tensor):
            value, slot = self._operand(self.read(arg))
            return wrap(value, None), self._append(as_tensor, (slot,))
        if kind is dict:
            return {}, self._constant(None)
        if kind in (tuple, list):
            parts = [self._operand(part) for part in arg]
            if any(self._values[slot] is None and part is not None for part, slot in parts):
                slot = self._append(as_list if kind is list else as_tuple, tuple(slot for _, slot in parts))
                return kind(part for part, _ in parts), slot
        return arg, self._constant(arg)

    def _append(self, function: Callable, inputs: tuple[int, ...], *details: Any) -> int:
        """Append an instruction. Returns the slot of its value. ``details`` are its further fields."""
        slot = self._slot()
        self._code.append(Instruction(function, inputs, slot, *details))
        return slot

    def _emit(self, function: Callable, inputs: tuple[int, ...], output: Any, *details: Any):
        """Append an instruction. Returns its value as a traced array, or several of them as a tuple or a list."""
        slot = self._append(function, inputs, *details)
        if not isinstance(output, tuple | list):
            return self._traced(slot, output)
        parts = [self._traced(self._append(itemgetter(k), (slot,)), part) for k, part in enumerate(output)]
        return parts if isinstance(output, list) else tuple(parts)

    def _small_kernel(
        self,
        function: Callable,
        operation: tuple[str, str],
        operands: list[tuple[Any, int]],
        output: Any,
        fusable: tuple[str, str] | None,
    ) -> Any:
        """Append a small kernel in the place of a function. Returns its traced results, None if there is no kernel."""
        results = output if isinstance(output, tuple) else (output,)
        names = function.__code__.co_varnames[: len(operands)]
        given = {name: as_array(value) for name, (value, _) in zip(names, operands, strict=True)}
        if not all(hasattr(result, "shape") for result in results):
            return None
        found = small_kernel_for(*operation, given, [*map(as_array, results)])
        if found is None:
            return None
        kernel, needs = found
        buffers = tuple(OutputBuffer(self._slot(), result.shape, result.dtype) for result in results)
        slots = {
            name: slot if given[name] is value else self._append(as_array, (slot,))
            for name, (value, slot) in zip(names, operands, strict=True)
            if name in needs
        }
        inputs = tuple(slots[name] for name in needs)
        self._code.append(Instruction(kernel, inputs, self._slot(), buffers=buffers, operation=fusable))
        parts = tuple(self._traced(out.slot, result) for out, result in zip(buffers, results, strict=True))
        return parts if isinstance(output, tuple) else parts[0]

    def _traced(self, slot: int, value: Any) -> Any:
        """A value as a traced array, with which the step goes on."""
        if value is None:
            return None
        self._large |= getattr(value, "nbytes", 0) >= _LARGE
        traced = TracedArray(self, slot, value)
        self._traced_arrays.append(weakref.ref(traced))
        return traced

    # --- the end ------------------------------------------------------------------------------------------------------

    def _finish(self, result: Any) -> tuple[Any, Outcome]:
        """The result of the step, with concrete arrays; and the slots of all that the step leaves behind."""
        leaves, rebuild = flatten(result)
        returned, positions, finished = [], [], []
        for k, leaf in enumerate(leaves):
            is_tensor = isinstance(leaf, Tensor)
            value = leaf._data if is_tensor else leaf
            if isinstance(value, TracedArray):
                node = Node(value.value, _CUT) if is_tensor and leaf.requires_grad else None
                returned.append((value.slot, is_tensor, node))
                positions.append(k)
                leaf = wrap(value.value, node) if is_tensor else value.value
            finished.append(leaf)
        buffers = [(owner, name) for (_, name), owner in self._buffers.items() if owner[name] is not None]
        outcome = Outcome(
            rebuilder(rebuild, finished, positions),
            returned,
            [(leaf, None if leaf.grad is None else self._slot_of(leaf.grad)) for leaf in self._grads],
            [(owner, name, self._slot_of(owner[name])) for owner, name in buffers],
        )
        self._make_concrete()
        return rebuild(finished), outcome

    def _slot_of(self, tensor: Tensor) -> int:
        data = tensor._data
        return data.slot if isinstance(data, TracedArray) else self._constant(data)

    def _make_concrete(self) -> None:
        """Give gradients and buffers concrete arrays."""
        buffers = [owner[name] for (_, name), owner in self._buffers.items()]
        for tensor in [*(leaf.grad for leaf in self._grads), *buffers]:
            if tensor is not None and isinstance(tensor._data, TracedArray):
                tensor._data, tensor._node = tensor._data.value, None


def _dispatcher_in(interpreter: Any) -> Dispatcher:
    """The dispatcher inside of observers."""
    while not isinstance(interpreter, Dispatcher):
        interpreter = getattr(interpreter, "inner", None) or Dispatcher()
    return interpreter


def _in_order(rule, names, *arguments):
    """The gradients of these inputs, in their order, by a rule of several inputs."""
    found = rule(*arguments)
    return tuple(found[name] for name in names)
