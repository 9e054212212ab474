"""Rows of the table of cases for what reads sequences: recurrences, attention, embedding."""

import numpy
from cases import given, normal, row, truth, whole


def _value(f, *inputs, **options):
    """The output alone: the body of an operation gives what it keeps for its rules too."""
    found = f(*inputs, **options)
    return found[0] if isinstance(found, tuple) else found


# --- recurrences ------------------------------------------------------------------------------------------------------


def _torch_layer(kind, state, reverse=False, **options):
    """PyTorch's layer as a function of all its inputs; a reversed one is the second of its two directions."""

    def oracle(t, x, w_ih, w_hh, *rest):
        rest = list(rest)
        biases = [rest.pop(0), rest.pop(0)] if rest and rest[0].ndim == 1 and rest[0].is_floating_point() else []
        states = [rest.pop(0) for _ in range(state) if rest and rest[0].ndim == 2]
        lengths = rest.pop(0) if rest else None
        if not x.shape[1]:
            return _empty(t, x, w_hh, state)
        layer = getattr(t.nn, kind)(x.shape[2], w_hh.shape[1], bias=bool(biases), bidirectional=reverse, **options)
        names = ["weight_ih_l0", "weight_hh_l0", *(["bias_ih_l0", "bias_hh_l0"] if biases else [])]
        weights = dict(zip(names, [w_ih, w_hh, *biases], strict=True))
        if reverse:
            weights.update({name + "_reverse": w for name, w in list(weights.items())})
        given_state = tuple(t.stack([s] * (1 + reverse)) for s in states)
        initial = () if not states else (given_state if state == 2 else given_state[0],)
        steps = x.shape[0]
        if lengths is not None:
            x = t.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, last = t.func.functional_call(layer, weights, (x, *initial))
        if lengths is not None:
            y, _ = t.nn.utils.rnn.pad_packed_sequence(y, total_length=steps)
        last = last if state == 2 else (last,)
        return t.concat([y[:, :, w_hh.shape[1] :] if reverse else y, *(s[-1:] for s in last)])

    return oracle


def _empty(t, x, w_hh, state):
    """No sequences: zeros that hang on nothing, which PyTorch's packed layers refuse to make."""
    return t.zeros(x.shape[0] + state, 0, w_hh.shape[1], dtype=x.dtype) + 0 * x.sum()


for _name, _kind, _gates, _state in (("rnn", "RNN", 1, 1), ("lstm", "LSTM", 4, 2), ("gru", "GRU", 3, 1)):
    for _reverse in (False, True):
        _options = {"reverse": True} if _reverse else {}
        _oracle = _torch_layer(_kind, _state, _reverse)
        _label = "reverse" if _reverse else ""
        _weights = [normal(_gates * 2, 3), normal(_gates * 2, 2)]
        _biases = [normal(_gates * 2), normal(_gates * 2)]
        _states = [normal(2, 2)] * _state
        _steps = [((n, b, 3), (_gates * 2, 3), (_gates * 2, 2)) for n, b in ((1, 2), (3, 1), (3, 0))]
        row(_name, [normal(3, 2, 3), *_weights, *_biases, *_states], _oracle, _options, call=_value, label=_label)
        row(
            _name,
            [normal(3, 2, 3), *_weights],
            _oracle,
            _options,
            call=_value,
            shapes=_steps,
            label="-".join(filter(None, (_label, "bare"))),
        )
        row(
            _name,
            [normal(3, 2, 3), *_weights, *_biases, *_states, given([1, 3])],
            _oracle,
            _options,
            call=_value,
            label="-".join(filter(None, (_label, "lengths"))),
        )
row(
    "rnn",
    [normal(3, 2, 3), normal(2, 3), normal(2, 2), normal(2), normal(2), normal(2, 2)],
    _torch_layer("RNN", 1, nonlinearity="relu"),
    {"nonlinearity": "relu"},
    call=_value,
    label="relu",
)
row(
    "gru",
    [normal(3, 2, 3), normal(6, 3), normal(6, 2), given([3, 1])],
    lambda t, x, w, u, n: _torch_layer("GRU", 1)(t, x, w, u, n),
    call=lambda f, x, w, u, n: _value(f, x, w, u, None, None, None, n),
    label="lengths-bare",
)

# --- attention --------------------------------------------------------------------------------------------------------


def _attend(t, *x, **options):
    return t.nn.functional.scaled_dot_product_attention(*x, **options)


_QKV = [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 3)]
_SIZES = (
    ((0, 3, 4), (0, 5, 4), (0, 5, 3)),
    ((2, 1, 1), (2, 1, 1), (2, 1, 1)),
    ((3, 4), (5, 4), (5, 2)),
    ((2, 1, 3, 4), (2, 2, 5, 4), (2, 2, 5, 1)),
)
_SEEN = numpy.array([[True, False, True, True, False], [False] * 5, [True] * 5])
_FLOATS = numpy.where(_SEEN, 0.5, -numpy.inf)
_KEPT = numpy.array([[1.25, 0.0, 1.25, 1.25, 1.25]] * 3)
_KEPT_OWN = numpy.array([[1.25, 0.0, 1.25, 1.25, 1.25]] * 5)
_HALF = {"scale": 0.5}
row("attention", _QKV, lambda t, *x: _attend(t, *x, scale=0.5), _HALF, shapes=_SIZES[:3], call=_value)
row("attention", _QKV, lambda t, *x: _attend(t, *x, scale=1.0, is_causal=True), {"is_causal": True}, call=_value)
row("attention", [*_QKV, given(_SEEN)], lambda t, *x: _attend(t, *x, scale=0.5), _HALF, label="seen", call=_value)
row("attention", [*_QKV, normal(3, 5)], lambda t, *x: _attend(t, *x, scale=0.5), _HALF, label="added", call=_value)
row(
    "attention",
    [*_QKV, normal(2, 1, 5)],
    lambda t, *x: _attend(t, *x, scale=0.5),
    _HALF,
    label="added-wide",
    call=_value,
)
row(
    "attention",
    _QKV,
    lambda t, q, k, v: t.softmax(q @ k.mT * 0.5, -1) * t.tensor(_KEPT).to(q) @ v,
    {"kept": _KEPT, **_HALF},
    call=lambda f, q, k, v, kept, scale: _value(f, q, k, v, None, kept, scale=scale),
    label="dropped",
)
row("attention", _QKV[:2], lambda t, q, k: t.softmax(q @ k.mT, -1), call=_value, label="weights")
row(
    "attention",
    _QKV[:2],
    lambda t, q, k: t.softmax(q @ k.mT, -1) * t.tensor(_KEPT).to(q),
    {"kept": _KEPT},
    call=lambda f, q, k, kept: _value(f, q, k, None, None, kept),
    label="weights-dropped",
)
_ALL = [normal(3, 2, 5, 4)]
_OWN = numpy.array([[True, False, True, True, False], [False] * 5, [True] * 5, [True] * 5, [False, True] + [False] * 3])
row(
    "self_attention",
    _ALL,
    lambda t, x: _attend(t, *x, scale=0.5),
    _HALF,
    shapes=(((3, 0, 3, 4),), ((3, 2, 1, 1),), ((3, 4, 3),), ((3, 2, 2, 3, 4),)),
    call=_value,
)
row("self_attention", _ALL, lambda t, x: _attend(t, *x, scale=1.0, is_causal=True), {"is_causal": True}, call=_value)
row("self_attention", [*_ALL, given(_OWN)], lambda t, x, m: _attend(t, *x, m, scale=1.0), label="seen", call=_value)
row("self_attention", [*_ALL, normal(5, 5)], lambda t, x, m: _attend(t, *x, m, scale=1.0), label="added", call=_value)
row(
    "self_attention",
    _ALL,
    lambda t, x: t.softmax(x[0] @ x[1].mT * 0.5, -1) * t.tensor(_KEPT_OWN).to(x) @ x[2],
    {"kept": _KEPT_OWN, **_HALF},
    call=lambda f, x, kept, scale: _value(f, x, None, kept, scale=scale),
    label="dropped",
)
row("scaled_dot_product_attention", _QKV, _attend, shapes=_SIZES)
row("scaled_dot_product_attention", _QKV, lambda t, *x: _attend(t, *x, scale=2.0), {"scale": 2.0})
row("scaled_dot_product_attention", _QKV, lambda t, *x: _attend(t, *x, is_causal=True), {"is_causal": True})
row("scaled_dot_product_attention", [*_QKV, truth(2, 3, 5)], _attend, label="mask")
row(
    "scaled_dot_product_attention",
    _QKV,
    lambda t, *x: _attend(t, *x, t.tensor(_FLOATS).to(x[0])),
    {"mask": _FLOATS},
    call=lambda f, *x, mask: f(*x, mask),
    label="nowhere",
)

# --- embedding --------------------------------------------------------------------------------------------------------

row(
    "embedding",
    [whole(0, 4)(2, 3), normal(4, 2)],
    lambda t, i, w: t.nn.functional.embedding(i, w),
    shapes=(((0,), (4, 2)), ((), (4, 1)), ((1, 1, 1), (4, 0))),
)
row(
    "embedding",
    [given([0, 1, 1, 3]), normal(4, 2)],
    lambda t, i, w: t.nn.functional.embedding(i, w, padding_idx=2),  # where it is met, the gradient is not the slope
    {"padding_idx": -2},
    label="padding",
)
row(
    "embedding",
    [whole(-40, 40)(60, 20), normal(40, 5)],
    lambda t, i, w: t.nn.functional.embedding(i % 40, w),
    label="many",
)
