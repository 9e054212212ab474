"""The loop over the parameters: what all optimisers share. What sets them apart is in `rules`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ..arrays import as_array, int32, namespace, read_only, seam
from ..autodiff import Tensor, enable_grad, raw
from ..errors import UserError, choose

__all__ = ["Optimizer"]

# What schedules and PyTorch keep in a group beside the options; it is carried along and not asked about.
_CARRIED = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "param_names")
# PyTorch's choices of how to compute the same numbers: accepted from its state dictionaries, and dropped.
_OF_PYTORCH = ("foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay")


def _is_state(given: Any) -> bool:
    """Whether something has the layout of an optimiser's state."""
    if not isinstance(given, Mapping) or not {"state", "param_groups"} <= given.keys():
        return False
    state, groups = given["state"], given["param_groups"]
    return (
        isinstance(state, Mapping)
        and all(isinstance(memory, Mapping) for memory in state.values())
        and isinstance(groups, list | tuple)
        and all(isinstance(group, Mapping) and isinstance(group.get("params"), list | tuple) for group in groups)
    )


class Optimizer:
    """Changes parameters along their gradients, by the rule of its class.

    .. math:: \\theta, s \\leftarrow \\mathrm{rule}(\\theta, \\nabla_\\theta L, s)

    Make one of its kinds: `SGD`, `RMSprop`, `Adagrad`, `Adam`, `AdamW`. For an optimiser of your own, write the rule as
    in `ichikara.optim.rules`, and a class that names it, what it remembers and how its options are checked.

    Arguments: ``params``, the tensors to change, ``(name, tensor)`` pairs, or dictionaries with a list of them under
    ``"params"`` and options of their own beside it; ``defaults``, the options of those that have none of their own.

    Errors: TypeError for what is no list of leaf tensors; `UserError` for an option that is unknown or out of
    range, for no parameters, and for one that is given twice.

    >>> import ichikara
    >>> from ichikara.optim import SGD
    >>> w = ichikara.asarray([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([0., 0.], requires_grad=True)

    Attributes: ``param_groups``, a list of dictionaries of tensors and options; ``state``, what is remembered of each.

    Source: the interface is that of ``torch.optim.Optimizer``.
    """

    rule: ClassVar[Callable]
    memory: ClassVar[tuple[str, ...]] = ()  # the names of all that the rule may remember
    checks: ClassVar[dict[str, Callable[[str, Any], Any]]] = {}

    def __init__(self, params: Any, defaults: dict[str, Any]):
        if type(self) is Optimizer:
            raise TypeError(
                "Optimizer is what all optimisers share; make one of them: SGD, RMSprop, Adagrad, Adam, AdamW"
            )
        self.defaults = self._checked(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        given = self._as_list(params)
        if not given:
            raise UserError(
                "there is nothing to optimise: the list of parameters is empty. A generator such as model.parameters() "
                "can be gone through only once: call it again for each use"
            )
        for group in given if isinstance(given[0], Mapping) else [{"params": given}]:
            self.add_param_group(group)

    # --- a step -------------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient once, and return what the closure returned.

        A gradient that is not finite makes the parameter so: nothing is hidden or skipped.

        Arguments: ``closure``, a function without arguments that computes the loss and its gradients again; or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        seam.interpreter.update(self, [raw(parameter.grad) for parameter in self._parameters()])
        return loss

    def update(self, gradients: Sequence) -> None:
        """Change the parameters by these gradients, arrays in the order of the groups, None for those without one."""
        given = iter(gradients)
        for group in self.param_groups:
            options = {name: group[name] for name in self.defaults}
            for parameter, g in zip(group["params"], given, strict=False):
                if g is not None:
                    p, state = type(self).rule(parameter._data, g, self.state.get(parameter, {}), **options)
                    parameter._data = p
                    parameter.touch()
                    if state:
                        self.state[parameter] = state

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, so that the next `backward` starts from nothing.

        Arguments: ``set_to_none``, False to put zeros there, which the next step would take for a gradient of 0.
        """
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter._keep_grad(namespace(parameter).zeros_like(parameter.detach()))
        seam.interpreter.cleared(self._parameters())

    def initial_state(self, parameter: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the rule remembers of a parameter before its first step, every array there, to be staged with.

        An empty dictionary means the same to every rule; here no array appears only later.
        """
        xp, array = namespace(raw(parameter)), raw(parameter)
        return {
            name: xp.zeros((), dtype=int32) if name == "step" else xp.zeros_like(array)
            for name in self._needed(options)
        }

    def _needed(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of what the rule remembers with these options."""
        return self.memory

    # --- groups -------------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Take further parameters in, with options of their own; what is left out is as for the others.

        Arguments: ``param_group``, a dictionary with ``"params"`` and any of the options.

        Errors: as of the class; nothing is changed then.
        """
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError('a group of parameters is a dictionary with a list of tensors under "params"')
        tensors, names = self._tensors(self._as_list(param_group["params"]))
        if not tensors:
            raise UserError('a group of parameters is empty: give it at least one tensor under "params"')
        known = {id(parameter) for group in self.param_groups for parameter in group["params"]}
        for i, parameter in enumerate(tensors):
            if id(parameter) in known:
                what = f"'{names[i]}'" if names else f"number {i} (shape {parameter.shape})"
                raise UserError(f"parameter {what} is given twice; it would be changed twice in each step")
            known.add(id(parameter))
        if self.param_groups and ("param_names" in self.param_groups[0]) != bool(names):
            raise UserError("give the parameters of all groups with their names, or those of none")
        options = self._checked({k: v for k, v in param_group.items() if k != "params"})
        group = {"params": tensors, **self.defaults, **options}
        self._check_together(group)
        if names:
            group["param_names"] = names
        self.param_groups.append(group)

    @staticmethod
    def _as_list(params: Any) -> list:
        if isinstance(params, Tensor):
            raise TypeError("the parameters are a list of tensors, and this is a single one: write [tensor]")
        if callable(getattr(params, "parameters", None)):
            kind = type(params).__name__
            raise TypeError(f"an optimiser changes parameters: give it the .parameters() of this {kind}")
        if isinstance(params, set | frozenset):
            raise TypeError("a set has no order, and the state is kept by order: give the parameters as a list")
        if isinstance(params, Mapping):
            raise TypeError(
                "the parameters are a list, and this is a dictionary: [{'params': tensors, ...}] for a group with "
                "options of its own, list(d.values()) or list(d.items()) for a dictionary of tensors"
            )
        if isinstance(params, str) or not isinstance(params, Iterable):
            raise TypeError(f"the parameters are a list of tensors, not of type {type(params).__name__}")
        return list(params)

    @staticmethod
    def _tensors(given: list) -> tuple[list[Tensor], list[str]]:
        """The tensors of a list, and their names if they came with any."""
        tensors: list[Tensor] = []
        names: list[str] = []
        for i, item in enumerate(given):
            if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
                names.append(item[0])
                item = item[1]
            if not isinstance(item, Tensor):
                hint = ": a group goes into a list of groups only" if isinstance(item, Mapping) else ""
                raise TypeError(f"parameter {i} is not a Tensor but of type {type(item).__name__}{hint}")
            if not item.is_leaf:
                raise TypeError(
                    f"parameter {i} (shape {item.shape}) was made by an operation, so a step could not reach what "
                    "it was made from; give the leaf itself, or asarray(t.detach(), requires_grad=True) for a new one"
                )
            tensors.append(item)
        if names and len(names) != len(tensors):
            raise UserError("some of the parameters have a name and some have none; give all or none")
        return tensors, names

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options, each checked for itself."""
        kind = f"option of {type(self).__name__}"
        return {
            name: value if name in _CARRIED else choose(kind, name, self.checks)(name, value)
            for name, value in options.items()
        }

    def _check_together(self, options: Mapping[str, Any]) -> None:
        """Raise for options that are each possible and together are not."""

    # --- save and load ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs to go on from here: what is remembered of each parameter, and the options.

        The layout and the names are PyTorch's. Later steps do not change what was returned.
        """
        order = {id(p): i for i, p in enumerate(self._parameters())}
        groups = [
            {**{k: v for k, v in group.items() if k != "params"}, "params": [order[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {
            order[id(p)]: {k: read_only(namespace(v).asarray(v, copy=True)) for k, v in of.items()}
            for p, of in self.state.items()
        }
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken: the options of the groups and what is remembered of each parameter.

        Arguments: ``state_dict``, of an optimiser of the same class with as many parameters of the same shapes, in the
        same order.

        Errors: `UserError` for another layout, other group sizes, shapes or names, unknown options; nothing is changed
        then.
        """
        if not _is_state(state_dict):
            raise UserError(
                'the state of an optimiser is a dictionary with "state", a dictionary of each parameter\'s, and '
                '"param_groups", a list of dictionaries that have "params"; this is not one'
            )
        groups = self._loaded_groups(state_dict["param_groups"])
        places = {
            index: (parameter, group)
            for group, saved in zip(groups, state_dict["param_groups"], strict=True)
            for parameter, index in zip(group["params"], saved["params"], strict=True)
        }
        state = {}
        for index, memory in state_dict["state"].items():
            index = int(index) if isinstance(index, str) and index.isdecimal() else index  # as JSON writes it
            if index not in places:
                raise UserError(f"there is a state of parameter {index}, and no group has a parameter of that number")
            parameter, group = places[index]
            if memory:
                state[parameter] = self._loaded_memory(index, parameter, group, memory)
        self.param_groups, self.state = groups, state

    def _loaded_groups(self, saved_groups: Any) -> list[dict[str, Any]]:
        """The groups with the saved options and the present parameters."""
        mine, theirs = ([len(group["params"]) for group in groups] for groups in (self.param_groups, saved_groups))
        if mine != theirs:
            raise UserError(
                f"the saved optimiser had groups of {theirs} parameters, and this one has groups of {mine}; "
                "make it with the parameters of the same model in the same groups"
            )
        groups = []
        for present, saved in zip(self.param_groups, saved_groups, strict=True):
            options = self._checked({k: v for k, v in saved.items() if k != "params" and k not in _OF_PYTORCH})
            missing = [name for name in self.defaults if name not in options and name != "l1"]  # PyTorch has no l1
            if missing:
                raise UserError(
                    f"the saved options lack {', '.join(missing)}: were they of another optimiser than "
                    f"{type(self).__name__}?"
                )
            names = {"param_names": present["param_names"]} if "param_names" in present else {}
            group = {"l1": 0.0, **names, **options, "params": present["params"]}
            self._check_together(group)
            groups.append(group)
        return groups

    def _loaded_memory(self, index, parameter, group, memory) -> dict[str, Any]:
        """What is remembered of one parameter, checked, copied, and of the parameter's type."""
        xp, array = namespace(parameter._data), parameter._data
        kind = f"state of parameter {index} of {type(self).__name__}"
        for name in memory:
            choose(kind, name, dict.fromkeys(self.memory))
        missing = [name for name in self._needed(group) if memory.get(name) is None]
        if missing:
            raise UserError(f"the {kind} lacks {', '.join(missing)}")
        loaded = {}
        for name, value in memory.items():
            if value is None:
                continue
            value = as_array(raw(value))
            shape = () if name == "step" else array.shape
            if value.shape != shape:
                raise UserError(
                    f"{name} of parameter {index} has shape {value.shape} in the saved state, and {shape} here: the "
                    "model is not the one that was saved"
                )
            if name == "step":
                number = float(value)
                if not (0 <= number < 2**31 and number == int(number)):
                    raise UserError(f"the {kind} has {number} as its step, which is a whole number of at least 0")
            loaded[name] = xp.asarray(value, dtype=int32 if name == "step" else array.dtype, copy=True)
        return loaded

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def __repr__(self):
        lines = []
        for i, group in enumerate(self.param_groups):
            options = ", ".join(f"{name}={group[name]!r}" for name in self.defaults)
            lines.append(f"  group {i}: {len(group['params'])} parameters, {options}")
        return "\n".join((f"{type(self).__name__}(", *lines, ")"))
