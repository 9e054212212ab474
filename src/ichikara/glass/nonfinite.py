"""The first NaN or infinity: found by going back from the number that is not finite to where it arose.

An infinity is often meant: a mask of −inf before a softmax, the maximum of nothing. So what counts is not the first one
that is seen, but that from which the loss, a gradient or a weight became infinite or NaN. While a `NonFiniteSearch` is
attached, each result that is not finite is kept with what it was computed from, and `lineage` goes back from it.
"""

import math
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy

from ..arrays import add_into, contextmanager, interpreting
from ..autodiff import Tensor, raw
from ..autodiff.modes import block, mode
from .lineage import Computed, Given, origin_in
from .origin import NonFiniteError, Operand, Origin, kinds_of, source_of
from .trace import Trace

__all__ = ["NonFiniteError", "NonFiniteSearch", "Origin", "detect_nonfinite"]

_SCALARS = 1 << 16  # NumPy's scalars cannot be watched, so the last ones are kept
_UNUSED = 16  # results that are not finite and not used, to be looked at in the end


class NonFiniteSearch(Trace):
    """Remembers while it is attached where numbers became infinite or NaN, and raises where that does harm.

    It raises NonFiniteError when a single number is read (``loss.item()``), when an optimiser is given gradients, when
    it has changed weights, and when a tensor is assigned other numbers: if those are infinite or NaN, and not because
    the user gave an infinite constant. `check_end` looks at the rest.

    Arguments: ``model``, whose parts are named by their paths in it; else in the outermost module that is called.
    """

    def __init__(self, model: Any = None):
        super().__init__(fused=True)
        self._table: dict[int, tuple[weakref.ref, Computed]] = {}  # by the result's identity
        self._scalars: OrderedDict[int, tuple[Any, Computed]] = OrderedDict()
        self._uses: dict[tuple[int, str], tuple[weakref.ref, Computed]] = {}  # by an argument's, and the operation
        self._leaves: dict[Any, None] = {}  # whose gradients have changed since the last update
        self._unused: dict[Computed, None] = {}  # results that are not finite, and that no operation has used
        self._optimized: list[Any] = []
        self._inputs: dict[int, Any] = {}  # the arrays with which the outermost modules were called
        self._application: Any = None
        if model is not None:
            self._name(model)

    # --- what is computed ---------------------------------------------------------------------------------------------

    def note(self, application: Any) -> None:
        self._application = application
        self._made.clear()  # which would keep everything that was ever computed

    def forward(self, operation: Any, arguments: Sequence, wanted: Collection) -> tuple[Any, Any]:
        if self._busy or mode.in_rule:
            return super().forward(operation, arguments, wanted)
        operands = self._given(operation.parameters, arguments, wanted)
        output, used = super().forward(operation, arguments, wanted)
        applied, self._application = self._application, None
        for k, array in enumerate(output if used.residuals else (output,)):
            made = Computed("forward", operation.name, "", applied.scope, applied.line)
            again = lambda given, k=k: _result(self.inner.forward(operation, given, wanted), k)
            self._add(made, array, arguments, operands, again)
        for array in _arrays(arguments):
            self._keep(self._uses, (id(array), operation.name), array, made)
        return output, used

    def backward(self, operation: Any, rule: Any, wanted: Sequence, arguments: Sequence) -> Any:
        operands = self._given(rule.needs, arguments, ())
        before, self._busy = self._busy, True
        try:
            given = super().backward(operation, rule, wanted, arguments)
        finally:
            self._busy = before
        if self._busy:
            return given
        applied = self._applied(operation, rule, arguments)
        for name in wanted if rule.joint else wanted[:1]:
            made = Computed("backward", operation.name, str(name), applied.scope, applied.line)
            part = lambda found, name=name: found[name] if rule.joint else found
            again = lambda values, part=part: part(self.inner.backward(operation, rule, wanted, values))
            self._add(made, part(given), arguments, operands, again)
        return given

    def call(self, function: Callable, *arguments: Any) -> Any:
        if self._busy:
            return super().call(function, *arguments)
        if function is add_into:
            arguments = (arguments[0].copy(), *arguments[1:])  # so that what it was before can be looked at
        operands = self._given([*map(str, range(len(arguments)))], arguments, ())
        try:
            value = super().call(function, *arguments)
        except Exception as error:
            for operand in operands:  # a check that found it
                self._raise_for(operand, error)
            raise
        assigned = getattr(function, "__self__", None)
        if value is None and isinstance(assigned, Tensor):
            for operand in operands:
                self._raise_for(operand, None, learnt=assigned.requires_grad)
        made = Computed("backward", getattr(function, "__name__", "function"), "", None, None)
        self._add(made, value, arguments, operands, lambda given: self.inner.call(function, *map(_copied, given)))
        return value

    def update(self, optimizer: Any, gradients: Sequence) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self._optimized = list({id(p): p for p in (*self._optimized, *parameters)}.values())
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if kinds_of(gradient):
                self._raise(self.origin_of(gradient, "gradient", self._name_of(parameter)))
        before = [Operand.of("weight", raw(parameter)) for parameter in parameters]
        super().update(optimizer, gradients)
        rates = [group["lr"] for group in optimizer.param_groups for _ in group["params"] if "lr" in group]
        for i, parameter in enumerate(parameters):
            made = kinds_of(raw(parameter))
            if made and not before[i].nonfinite:
                operands = [before[i], *([] if gradients[i] is None else [Operand.of("gradient", gradients[i])])]
                line, code = source_of(self._line())
                self._raise(
                    Origin(
                        "update",
                        made[0],
                        type(optimizer).__name__,
                        self._name_of(parameter),
                        line=line,
                        code=code,
                        result=Operand.of("weight", raw(parameter)),
                        operands=operands,
                        numbers=[("rate", float(rates[i]))] if i < len(rates) else [],
                    )
                )
        self._leaves.clear()

    # --- what is read and changed -------------------------------------------------------------------------------------

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        if self._scope is None:
            self._inputs = {id(raw(value)): raw(value) for value in (*arguments, *options.values())}
        return super().run_module(module, arguments, options)

    def concrete(self, what: str, tensor: Any = None) -> None:
        super().concrete(what, tensor)
        if tensor is not None and tensor.size == 1 and kinds_of(raw(tensor)):
            self._raise(self.origin_of(raw(tensor)))

    def gradient(self, leaf: Any, replaced: bool = False) -> None:
        super().gradient(leaf, replaced)
        self._leaves[leaf] = None

    def cleared(self, parameters: Sequence) -> None:
        super().cleared(parameters)
        self._leaves.clear()

    def check_end(self) -> None:
        """Raise NonFiniteError for gradients, and for results that nothing has used, unless they were so intended."""
        self._raise_for_leaves(None)
        for made in [*self._unused]:
            origin = origin_in(made, made.result)
            if origin.source != "constant":
                self._raise(origin)

    # --- going back ---------------------------------------------------------------------------------------------------

    def origin_of(self, array: Any, name: str = "", of: str = "") -> Origin:
        """Where what is not finite in an array first arose.

        Arguments: ``name`` and ``of``, what the array is, if it came from outside.
        """
        operand = self._looked_up(Given(name or "0", (0, None), array, kinds_of(array)), wanted=())
        if operand.made is not None:
            return origin_in(operand.made, array)
        about = Operand.of(name, array)
        line, code = source_of(self._line())
        if operand.source[0] == "constant":
            return Origin("assigned", operand.kinds[0], "", of, "constant", line=line, code=code, result=about)
        source, named = operand.source
        return Origin("given", operand.kinds[0], "", named, source, line=line, code=code, result=about)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _raise(self, origin: Origin) -> None:
        raise NonFiniteError(origin)

    def _raise_for(self, operand: Given, error: Exception | None, learnt: bool = False) -> None:
        """Raise for what was checked, or assigned to a tensor, if it is not finite and not an infinite constant.

        Arguments: ``error``, of the check; ``learnt``, whether the tensor is a weight, which is never meant to be so.
        """
        if not operand.kinds:
            return
        if operand.made is None and operand.source[0] == "constant":
            self._raise_for_leaves(error)
        origin = self.origin_of(operand.array)
        if error is not None or learnt or origin.source != "constant" or origin.made == "nan":
            raise NonFiniteError(origin) from error

    def _raise_for_leaves(self, error: Exception | None) -> None:
        for leaf in self._leaves:
            gradient = None if leaf.grad is None else raw(leaf.grad)
            if kinds_of(gradient):
                raise NonFiniteError(self.origin_of(gradient, "gradient")) from error

    def _given(self, names: Sequence[str], arguments: Sequence, wanted: Collection) -> list[Given]:
        """The arrays among arguments, each with what made it."""
        found = []
        for i, (name, value) in enumerate(zip(names, arguments, strict=False)):
            items = enumerate(value) if isinstance(value, list) else [(None, value)]
            for k, item in items:
                if isinstance(item, float) and not math.isfinite(item):
                    item = numpy.float64(item)
                if isinstance(item, numpy.ndarray | numpy.generic):
                    label = name if k is None else f"{name}[{k}]"
                    operand = Given(label, (i, k), item, kinds_of(item))
                    found.append(self._looked_up(operand, wanted) if operand.kinds else operand)
        return found

    def _looked_up(self, operand: Given, wanted: Collection) -> Given:
        """The operand with what made it; of one from outside, with what it is."""
        array = operand.array
        operand.made = self._maker(array)
        if operand.made is not None:
            self._unused.pop(operand.made, None)
            return operand
        for kind, name, tensor in self._named():
            if raw(tensor) is array:
                operand.source = (kind, name)
                return operand
        if any(leaf.grad is not None and raw(leaf.grad) is array for leaf in self._leaves):
            operand.source = ("gradient", operand.name)
        elif id(array) in self._inputs and operand.kinds[0] == "nan":
            operand.source = ("input", operand.name)
        elif operand.name in wanted:
            operand.source = ("leaf", operand.name)
        else:  # a copy, such as one of another type
            for _, made in [*self._table.values()]:
                if made.result is not None and _same(made.result, array):
                    operand.made = made
                    self._unused.pop(made, None)
        return operand

    def _named(self) -> Iterator[tuple[str, str, Any]]:
        """The parameters of all networks that were called, and buffers that are not meant to be infinite."""
        for root in self.roots.values():
            for name, parameter in root.named_parameters():
                yield "parameter", name, parameter
            for name, buffer in root.named_buffers():
                if "nan" in kinds_of(raw(buffer)):
                    yield "buffer", name, buffer
        for i, parameter in enumerate(self._optimized):
            yield "parameter", str(i), parameter

    def _name_of(self, parameter: Any) -> str:
        return next((name for _, name, tensor in self._named() if tensor is parameter), "")

    def _maker(self, array: Any) -> Computed | None:
        found: Any = self._table.get(id(array))
        if found is not None and found[0]() is array:
            return found[1]
        found = self._scalars.get(id(array))
        return found[1] if found is not None and found[0] is array else None

    def _applied(self, operation: Any, rule: Any, arguments: Sequence) -> Computed:
        """The application whose rule is run, as told by the arrays that it saved."""
        for name, value in zip(rule.needs, arguments, strict=True):
            for array in _arrays([value]) if name != "g" else ():
                made = self._maker(array) if name == "y" else None
                if made is not None and made.operation == operation.name:
                    return made
                found = self._uses.get((id(array), operation.name))
                if found is not None and found[0]() is array:
                    return found[1]
        return Computed("forward", operation.name)

    def _add(self, made: Computed, array: Any, arguments: Sequence, operands: list[Given], again: Callable) -> None:
        """Remember what made an array; if it is not finite, with all that is needed to ask why."""
        if not isinstance(array, numpy.ndarray | numpy.generic):
            return
        if kinds_of(array):
            in_rule = mode.in_rule
            made.arguments, made.operands, made.result = [*arguments], operands, array

            def computed(given: list) -> Any:
                with block(in_rule=in_rule), interpreting(self.inner), numpy.errstate(all="ignore"):
                    return again(given)

            made.again = computed
            if made.kind == "forward" and len(self._unused) < _UNUSED:
                self._unused[made] = None
        if isinstance(array, numpy.ndarray):
            self._keep(self._table, id(array), array, made)
        else:
            self._scalars[id(array)] = array, made
            if len(self._scalars) > _SCALARS:
                self._scalars.popitem(last=False)

    @staticmethod
    def _keep(table: dict, key: Any, array: Any, made: Computed) -> None:
        """Enter it into a table as long as the array lives."""
        if isinstance(array, numpy.ndarray):
            table[key] = weakref.ref(array, lambda reference: _forget(table, key, reference)), made


def _forget(table: dict, key: Any, reference: weakref.ref) -> None:
    if key in table and table[key][0] is reference:
        del table[key]


def _arrays(arguments: Sequence) -> Iterator[Any]:
    for value in arguments:
        yield from value if isinstance(value, list) else (value,)


def _result(computed: tuple[Any, Any], k: int) -> Any:
    """The value of an operation for 0, and what else it keeps for its rules for further numbers, if it does."""
    value, used = computed
    results = value if used.residuals else (value,)
    return results[k] if k < len(results) else None


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, numpy.ndarray) else value


def _same(a: Any, b: Any) -> bool:
    """Whether one array is a copy of the other, perhaps in another type."""
    if a.shape != b.shape or (a.size == 1 and a.dtype == b.dtype):  # one number says too little
        return False
    narrow = min(a.dtype, b.dtype, key=lambda dtype: dtype.itemsize)
    with numpy.errstate(all="ignore"):
        return numpy.array_equal(a.astype(narrow), b.astype(narrow), equal_nan=True)


@contextmanager
def detect_nonfinite() -> Iterator[NonFiniteSearch]:
    r"""A block that ends with an error when numbers become infinite or NaN, which says where they first did.

    It looks when a single number is read (``loss.item()``), when an optimiser takes a step, when a tensor is assigned
    other numbers, and at the end at all gradients and at results that nothing has used. Infinities that do no harm,
    such as a mask of −inf before a softmax, are no error. The first number of those from which the loss, the gradient
    or the weight became infinite or NaN is named: the operation, or its gradient, the layer, the line of your code, and
    the operands.

    Each result is looked at, so training in such a block is slow. What `ichikara.stage` replays is not seen. A
    `Trainer` needs no such block: when its loss is no longer finite, it runs its last steps again and says the same.

    Raises NonFiniteError, whose ``origin`` has the same for programs.

    >>> import ichikara
    >>> x = ichikara.asarray([0.0, 4.0], requires_grad=True)
    >>> with detect_nonfinite():
    ...     ichikara.sqrt(x).sum().backward()
    Traceback (most recent call last):
    ...
    ichikara.glass.origin.NonFiniteError: inf first arose in the backward pass, in the gradient of sqrt ...
    """
    search = NonFiniteSearch()
    try:
        with interpreting(search), numpy.errstate(all="ignore"):
            yield search
            search.check_end()
    finally:
        search.end()
