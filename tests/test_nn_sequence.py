"""What reads sequences, against PyTorch: recurrent layers, packed batches, embedding, attention, Transformers."""

import inspect
import itertools
import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is the oracle of the layers; install torch to run these")

from contract_layers import check_state  # noqa: E402

import ichikara  # noqa: E402
from ichikara import nn  # noqa: E402
from ichikara.errors import UserError  # noqa: E402

CLOSE = {"rtol": 1e-9, "atol": 1e-11}

KINDS = {
    "RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell", "Embedding", "PositionalEncoding",
    "LearnedPositionalEncoding", "MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer",
    "TransformerEncoder", "TransformerDecoder", "Transformer",
}  # fmt: skip
"""The layers that are tested here, and not by the table of test_nn_layers."""


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def parts(value):
    """The tensors of an output, however it is nested."""
    if isinstance(value, nn.PackedSequence | torch.nn.utils.rnn.PackedSequence):
        return [value.data]
    if isinstance(value, tuple | list):
        return [tensor for item in value for tensor in parts(item)]
    return [] if value is None else [value]


def trees(value, convert):
    """The same nesting with arrays converted."""
    if isinstance(value, np.ndarray):
        return convert(value)
    return tuple(trees(item, convert) for item in value) if isinstance(value, tuple) else value


def ours_of(array):
    return ichikara.asarray(array, requires_grad=array.dtype.kind == "f")


def theirs_of(array):
    return torch.tensor(array, requires_grad=array.dtype.kind == "f")


def check(ours, theirs, *inputs, through=None, **options):
    """Assert that two layers hold the same, compute the same, and that the same flows back, in float64 and float32.

    ``through(module, library, *tensors)`` is how the layer is called.
    """
    call = through or (lambda module, library, *tensors: module(*tensors, **options))
    shown = [repr(ours), repr(theirs).replace(", inplace=False", "").replace("NonDynamicallyQuantizable", "")]
    shown = [re.sub(r"(LayerNorm.*affine=True).*", r"\1", text) for text in shown]  # which test_nn_layers looks at
    assert shown[0] == shown[1]

    def same(a, b):
        a, b = a.numpy(), b.detach().numpy()
        unit = {"float64": 1e-10, "float32": 2e-4}[dtype]
        np.testing.assert_allclose(a, b, rtol=unit, atol=unit * abs(b).max(initial=1.0))

    for dtype in ("float64", "float32"):
        ours.to(dtype)
        theirs.to(getattr(torch, dtype))
        check_state(ours, theirs, np.random.default_rng(0))
        given = trees(inputs, lambda a: a.astype(dtype) if a.dtype.kind == "f" else a)  # noqa: B023
        mine, others = trees(given, ours_of), trees(given, theirs_of)
        outputs, expected = parts(call(ours, nn, *mine)), parts(call(theirs, torch.nn, *others))
        assert [tuple(a.shape) for a in outputs] == [tuple(b.shape) for b in expected]
        sums: list = [0.0, 0.0]
        for number, (a, b) in enumerate(zip(outputs, expected, strict=True)):
            assert a.dtype == dtype
            same(a, b)
            weights = normal(*a.shape, seed=number + 1).astype(dtype)
            sums = [sums[0] + (a * weights).sum(), sums[1] + (b * torch.tensor(weights)).sum()]
        ours.zero_grad()
        theirs.zero_grad()
        for total in sums:
            total.backward()
        pairs = [*zip(ours.parameters(), theirs.parameters(), strict=True)]
        pairs += [p for p in zip(parts(mine), parts(others), strict=True) if p[1].requires_grad]
        for a, b in pairs:
            assert (a.grad is None) == (b.grad is None)
            if b.grad is not None:
                assert a.grad.dtype == dtype
                same(a.grad, b.grad)


# --- recurrent layers -------------------------------------------------------------------------------------------------

STATES = {"RNN": 1, "LSTM": 2, "GRU": 1}
WORDS = [
    {},
    {"bias": False},
    {"batch_first": True},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
]


def both(kind, *args, **words):
    return getattr(nn, kind)(*args, **words), getattr(torch.nn, kind)(*args, **words)


def first_state(kind, *shape):
    states = tuple(normal(*shape, seed=k + 5) for k in range(STATES[kind]))
    return states if len(states) > 1 else states[0]


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("words", WORDS, ids=str)
@pytest.mark.parametrize("given", [False, True], ids=["from-zero", "from-state"])
def test_a_recurrent_layer_is_pytorchs(kind, words, given):
    rows = words.get("num_layers", 1) * (2 if "bidirectional" in words else 1)
    hx = (first_state(kind, rows, 2, 4),) if given else ()
    shape = (2, 5, 3) if "batch_first" in words else (5, 2, 3)
    check(*both(kind, 3, 4, **words), normal(*shape), *hx)


@pytest.mark.parametrize("kind", STATES)
def test_sequences_of_one_step_of_no_batch_and_of_a_batch_of_none(kind):
    check(*both(kind, 3, 4), normal(1, 1, 3))
    check(*both(kind, 3, 4, bidirectional=True), normal(5, 3))
    check(*both(kind, 3, 4, batch_first=True), normal(5, 3), first_state(kind, 1, 4))
    empty = getattr(nn, kind)(3, 4)(ichikara.zeros((5, 0, 3)))[0]
    assert empty.shape == (5, 0, 4)


def test_rnn_with_rectified_units():
    check(*both("RNN", 3, 4, nonlinearity="relu", num_layers=2), normal(5, 2, 3))


ARGUMENTS = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]


@pytest.mark.parametrize("kind", STATES)
def test_arguments_are_pytorchs(kind):
    mine = inspect.signature(getattr(nn, kind)).parameters
    named = [n for n, p in mine.items() if p.kind is not p.KEYWORD_ONLY and n != "nonlinearity"]
    assert named == ARGUMENTS
    positional = [3, 4, 2, "relu"] if kind == "RNN" else [3, 4, 2]
    layers = both(kind, *positional, False, True, 0.5, True)
    for name in ARGUMENTS:
        assert getattr(layers[0], name) == getattr(layers[1], name)
    assert list(inspect.signature(getattr(nn, kind).forward).parameters) == ["self", "input", "hx"]


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("words", WORDS[:1] + WORDS[3:], ids=str)
@pytest.mark.parametrize("lengths", [[5, 3, 3, 1], [2, 5, 1, 4]], ids=["sorted", "mixed"])
def test_a_packed_batch_is_pytorchs(kind, words, lengths):
    words = {k: v for k, v in words.items() if k != "batch_first"}
    rows = words.get("num_layers", 1) * (2 if "bidirectional" in words else 1)
    enforce_sorted = lengths == sorted(lengths, reverse=True)

    def through(module, library, x, hx):
        of = library if library is nn else torch.nn.utils.rnn
        packed = of.pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
        y, last = module(packed, hx)
        padded, counted = of.pad_packed_sequence(y, padding_value=0.5)
        assert counted.tolist() == lengths
        assert y.batch_sizes.tolist() == packed.batch_sizes.tolist()
        return y, padded, last

    check(*both(kind, 3, 4, **words), normal(5, 4, 3), first_state(kind, rows, 4, 4), through=through)


def test_padding_is_never_looked_at():
    x = normal(4, 2, 3)
    layer = nn.LSTM(3, 4, bidirectional=True, dtype="float64")
    layer.zero_grad()
    y, _ = layer(nn.pack_padded_sequence(x, [4, 2]))
    y.data.sum().backward()
    spoilt = x.copy()
    spoilt[2:, 1] = np.nan
    again = ichikara.ops.lstm(spoilt, *layer._weights("_l0"), None, None, [4, 2])
    assert np.isfinite(again.numpy()).all()
    again.sum().backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())


@pytest.mark.parametrize("kind", STATES)
def test_the_state_handed_on_reads_a_text_in_pieces(kind):
    layer = getattr(nn, kind)(3, 4, num_layers=2, dtype="float64")
    x = normal(7, 2, 3)
    whole, last = layer(x)
    before, state = layer(x[:3])
    after, state = layer(x[3:], state)
    np.testing.assert_allclose(np.concatenate([before.numpy(), after.numpy()]), whole.numpy(), **CLOSE)
    for a, b in zip(parts(state), parts(last), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), **CLOSE)


@pytest.mark.parametrize("kind", STATES)
def test_slopes_of_a_deep_layer_in_both_directions(kind):
    layer = getattr(nn, kind)(2, 2, num_layers=2, bidirectional=True, dtype="float64")
    names = list(dict(layer.named_parameters()))

    def function(x, *weights):
        return nn.functional_call(layer, dict(zip(names, weights, strict=True)), x)

    ichikara.check_grads(function, normal(3, 1, 2), *[p.detach() for p in layer.parameters()])


def test_dropout_is_between_layers_and_in_training_alone():
    layer = nn.GRU(3, 4, num_layers=2, dropout=1.0, dtype="float64")
    x = normal(5, 2, 3)
    y, _ = layer(x)
    state = layer.state_dict()
    second = nn.GRU(4, 4, dtype="float64")
    second.load_state_dict({key.replace("_l1", "_l0"): value for key, value in state.items() if "_l1" in key})
    np.testing.assert_allclose(y.numpy(), second(np.zeros((5, 2, 4)))[0].numpy(), **CLOSE)
    whole = nn.GRU(3, 4, num_layers=2, dtype="float64")
    whole.load_state_dict(state)
    np.testing.assert_allclose(layer.eval()(x)[0].numpy(), whole(x)[0].numpy(), **CLOSE)
    drawn = [nn.LSTM(3, 4, num_layers=2, dropout=0.5, generator=ichikara.Generator(seed)) for seed in (1, 1, 2)]
    for one in drawn[1:]:
        one.load_state_dict(drawn[0].state_dict())
    results = [one(x.astype("float32"))[0].tolist() for one in drawn]
    assert results[0] == results[1] != results[2]


def test_dropout_without_a_between_warns():
    with pytest.warns(UserWarning, match="num_layers=1"):
        nn.RNN(3, 4, dropout=0.5)


@pytest.mark.parametrize("kind", STATES)
@pytest.mark.parametrize("words", [{}, {"bias": False}], ids=str)
def test_a_cell_is_pytorchs(kind, words):
    for batch in ((2,), (), (1,)):
        cells = both(kind + "Cell", 3, 4, **words)
        check(*cells, normal(*batch, 3))
        check(*cells, normal(*batch, 3), first_state(kind, *batch, 4))
    if kind == "RNN":
        check(*both("RNNCell", 3, 4, nonlinearity="relu"), normal(2, 3))


@pytest.mark.parametrize("kind", [*STATES, *(kind + "Cell" for kind in STATES)])
def test_parameters_start_where_pytorchs_do(kind):
    for parameter in getattr(nn, kind)(3, 100).parameters():
        assert 0.095 < abs(parameter.numpy()).max() <= 0.1
        assert abs(parameter.numpy().mean()) < 0.02


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: nn.LSTM(3, 4)(np.zeros((5, 2, 7))), r"shape \(T, n, 3\).*has shape \(5, 2, 7\)"),
        (lambda: nn.LSTM(3, 4)(np.zeros(3)), "has shape"),
        (lambda: nn.GRU(3, 4)(np.zeros((0, 2, 3))), "at least one step"),
        (lambda: nn.GRU(3, 4, batch_first=True)(np.zeros((2, 0, 3))), "at least one step"),
        (lambda: nn.GRU(3, 4)(np.zeros((5, 2, 3)), np.zeros((1, 3, 4))), r"state of shape \(1, 2, 4\)"),
        (lambda: nn.LSTM(3, 4)(np.zeros((5, 2, 3)), np.zeros((1, 2, 4))), r"a pair \(h, c\)"),
        (lambda: nn.RNN(3, 4, nonlinearity="tan"), "did you mean 'tanh'"),
        (lambda: nn.RNN(3, 0), "hidden_size"),
        (lambda: nn.RNN(3, 4, 2, dropout=2), "dropout"),
        (lambda: nn.LSTMCell(3, 4)(np.zeros((2, 5))), r"\(n, 3\)"),
        (lambda: nn.GRUCell(3, 4)(np.zeros((2, 3)), np.zeros((3, 4))), r"state of shape \(2, 4\)"),
        (lambda: nn.pack_padded_sequence(np.zeros((3, 2)), [1, 3]), "longest first"),
        (lambda: nn.pack_padded_sequence(np.zeros((3, 2)), [4, 3]), "1 to 3 steps"),
        (lambda: nn.pack_padded_sequence(np.zeros((3, 2)), [3, 0]), "1 to 3 steps"),
        (lambda: nn.pack_padded_sequence(np.zeros((3, 2)), [3]), "2 sequences have that many lengths"),
        (lambda: nn.pack_padded_sequence(np.zeros(3), [3]), "sequences come as"),
        (lambda: nn.pad_packed_sequence(nn.pack_sequence([[1.0, 2.0]]), total_length=1), "total_length = 1"),
        (lambda: nn.pad_sequence([]), "no sequences"),
        (lambda: nn.pad_sequence([np.zeros((2, 3)), np.zeros((2, 4))]), "first axis only"),
    ],
)
def test_recurrent_misuse_has_one_clear_error(call, complaint):
    with pytest.raises(UserError, match=complaint):
        call()


# --- packed batches ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [[3, 2, 2], [1, 3, 2], [2, 2, 2], [1, 1, 1]], ids=str)
@pytest.mark.parametrize("total", [None, 6])
def test_packing_and_padding_are_pytorchs(batch_first, lengths, total):
    x = normal(*((3, 4, 2) if batch_first else (4, 3, 2)))
    rnn = torch.nn.utils.rnn
    for enforce_sorted in {False, lengths == sorted(lengths, reverse=True)}:
        mine = nn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted)
        theirs = rnn.pack_padded_sequence(torch.tensor(x), lengths, batch_first, enforce_sorted)
        assert (mine.sorted_indices is None) == (theirs.sorted_indices is None)
        for a, b in zip(mine, theirs, strict=True):
            assert a is b is None or np.array_equal(a.numpy(), b.numpy())
        padded = [
            f(p, batch_first, -1.0, total)
            for f, p in ((nn.pad_packed_sequence, mine), (rnn.pad_packed_sequence, theirs))
        ]
        for a, b in zip(*padded, strict=True):
            assert np.array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(("batch_first", "side"), list(itertools.product([False, True], ["left", "right"])))
def test_filling_up_is_pytorchs(batch_first, side):
    arrays = [normal(n, 2, seed=n) for n in (2, 4, 1)]
    mine = nn.pad_sequence(arrays, batch_first, 7.0, side)
    theirs = torch.nn.utils.rnn.pad_sequence([torch.tensor(a) for a in arrays], batch_first, 7.0, side)
    assert np.array_equal(mine.numpy(), theirs.numpy())
    if side == "right":
        back = nn.unpad_sequence(mine, [2, 4, 1], batch_first)
        assert all(np.array_equal(a, b.numpy()) for a, b in zip(arrays, back, strict=True))
    packed = nn.pack_sequence(arrays, enforce_sorted=False)
    expected = torch.nn.utils.rnn.pack_sequence([torch.tensor(a) for a in arrays], enforce_sorted=False)
    assert np.array_equal(packed.data.numpy(), expected.data.numpy())


def test_gradients_come_through_packing():
    x = normal(4, 3, 2)

    def there_and_back(x):
        return nn.pad_packed_sequence(nn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False))[0]

    ichikara.check_grads(there_and_back, x)


# --- embedding and positions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [None, 0, -2])
def test_embedding_is_pytorchs(padding):
    mine, theirs = both("Embedding", 6, 4, padding)
    if padding is not None:
        assert not mine.weight.numpy()[padding].any()
    for indices in ([[0, 4, 4], [5, 4, 1]], 3, [], np.arange(6000).reshape(20, 300) % 6):
        check(mine, theirs, np.asarray(indices, "int64"))


def test_embedding_starts_with_variance_1():
    weight = nn.Embedding(1000, 20).weight.numpy()
    assert abs(weight.mean()) < 0.03
    assert abs(weight.std() - 1) < 0.03


def test_a_given_table():
    table = normal(5, 3)
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert np.array_equal(frozen([2, 4]).numpy(), table[[2, 4]])
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


@pytest.mark.parametrize("indices", [[0, 6], [-7], [0.5]])
def test_what_is_not_in_the_table(indices):
    with pytest.raises(IndexError, match="embedding"):
        nn.Embedding(6, 2)(indices)


@pytest.mark.parametrize("d", [1, 4, 5])
def test_positions_are_the_papers(d):
    layer = nn.PositionalEncoding(d, dropout=0.0, max_len=50, dtype="float64")
    for t, i in itertools.product((0, 1, 49), range(d)):
        angle = t / 10000 ** (2 * (i // 2) / d)
        np.testing.assert_allclose(layer.pe.numpy()[t, 0, i], np.cos(angle) if i % 2 else np.sin(angle), atol=1e-12)
    assert list(layer.state_dict()) == ["pe"]
    assert not list(layer.parameters())


@pytest.mark.parametrize("kind", ["PositionalEncoding", "LearnedPositionalEncoding"])
def test_positions_are_added_wherever_the_batch_is(kind):
    x = normal(3, 2, 4).astype("float32")
    layer, turned = (getattr(nn, kind)(4, 0.0, 8, batch_first) for batch_first in (False, True))
    turned.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(layer(x).numpy(), turned(x.transpose(1, 0, 2)).numpy().transpose(1, 0, 2))
    for one in (layer, turned):
        np.testing.assert_array_equal(one(x[:, 0]).numpy(), layer(x).numpy()[:, 0])
        with pytest.raises(UserError, match=r"9 steps.*has 8 positions"):
            one(np.zeros((9, 4)))
        with pytest.raises(UserError, match="4 numbers a step"):
            one(np.zeros((2, 5)))
    assert getattr(nn, kind)(4, 1.0)(x).numpy().any() == False  # noqa: E712 - dropout of everything


def test_learnt_positions_are_learnt():
    layer = nn.LearnedPositionalEncoding(2, 0.0, 3)
    layer(np.zeros((2, 5, 2), "float32")).sum().backward()
    assert layer.weight.grad.tolist() == [[5.0, 5.0], [5.0, 5.0], [0.0, 0.0]]


# --- attention --------------------------------------------------------------------------------------------------------

L, S, N, E, H = 3, 5, 2, 4, 2
HIDDEN = np.array([[False, True, False, False, True], [True, False, False, False, False], [False] * 5])
ENDS = np.array([[False] * 5, [False, False, False, True, True]])
ADDED = np.where(HIDDEN, -np.inf, 0.3)
MASKS = {
    "none": {},
    "bool": {"attn_mask": HIDDEN},
    "float": {"attn_mask": ADDED},
    "heads": {"attn_mask": np.stack([HIDDEN, HIDDEN[::-1], HIDDEN[:, ::-1], HIDDEN])},
    "ends": {"key_padding_mask": ENDS},
    "ends-float": {"key_padding_mask": np.where(ENDS, -np.inf, 0.5)},
    "both": {"attn_mask": HIDDEN, "key_padding_mask": ENDS},
    "both-float": {"attn_mask": ADDED, "key_padding_mask": np.where(ENDS, -np.inf, 0.0)},
}


def attend(masks, **options):
    def through(module, library, *qkv):
        def convert(mask):
            kind = qkv[0].dtype
            if library is nn:
                return mask.astype(str(kind)) if mask.dtype.kind == "f" else mask
            return torch.tensor(mask).to(kind) if mask.dtype.kind == "f" else torch.tensor(mask)

        return module(*qkv, **{name: convert(mask) for name, mask in masks.items()}, **options)

    return through


def qkv(batch_first=False, kdim=E, vdim=E):
    shapes = ((L, N, E), (S, N, kdim), (S, N, vdim))
    return [normal(*((b, a, c) if batch_first else (a, b, c)), seed=k) for k, (a, b, c) in enumerate(shapes)]


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize(
    "options",
    [{"need_weights": False}, {}, {"average_attn_weights": False}],
    ids=["bare", "weights", "weights-of-heads"],
)
def test_attention_is_pytorchs(masks, options):
    check(*both("MultiheadAttention", E, H), *qkv(), through=attend(MASKS[masks], **options))


@pytest.mark.parametrize(
    "words", [{"batch_first": True}, {"bias": False}, {"kdim": 3, "vdim": 6}, {"kdim": 3, "batch_first": True}], ids=str
)
def test_attention_of_other_makes(words):
    sizes = {name: words.get(name, E) for name in ("kdim", "vdim")}
    inputs = qkv(words.get("batch_first", False), **sizes)
    check(*both("MultiheadAttention", E, H, **words), *inputs, through=attend({"key_padding_mask": ENDS}))


def test_attention_without_a_batch_and_to_itself():
    check(*both("MultiheadAttention", E, H), *(x[:, 0] for x in qkv()), through=attend({"attn_mask": HIDDEN}))
    check(*both("MultiheadAttention", E, H), normal(L, N, E), through=lambda module, _, x: module(x, x, x))


@pytest.mark.parametrize("words", [{}, {"batch_first": True}, {"bias": False}, {"kdim": E, "vdim": E}], ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_attention_to_itself_without_weights(words, causal):
    def through(module, library, x):
        mask = np.triu(np.ones((L, L), bool), 1) if causal else np.zeros((L, L), bool)
        return module(x, x, x, attn_mask=mask if library is nn else torch.tensor(mask), need_weights=False)

    shape = (N, L, E) if words.get("batch_first") else (L, N, E)
    check(*both("MultiheadAttention", E, H, **words), normal(*shape), through=through)
    check(*both("MultiheadAttention", E, H, **words), normal(L, E), through=through)


def test_attention_to_the_past():
    mine, theirs = both("MultiheadAttention", E, H)
    causal = np.triu(np.ones((L, L), bool), 1)

    def through(module, library, x):
        if library is nn:
            return module(x, x, x, is_causal=True)
        return module(x, x, x, attn_mask=torch.tensor(causal), is_causal=True)

    check(mine, theirs, normal(L, N, E), through=through)


def test_who_may_look_nowhere_gets_the_outputs_bias():
    layer = nn.MultiheadAttention(E, H, dtype="float64")
    layer.out_proj.bias.data = normal(E)
    for need_weights in (False, True):
        y, weights = layer(*qkv(), attn_mask=np.ones((L, S), bool), need_weights=need_weights)
        np.testing.assert_allclose(y.numpy(), np.broadcast_to(layer.out_proj.bias.numpy(), y.shape))
        assert weights is None or not weights.numpy().any()
        y.sum().backward()
        assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())


def test_dropout_of_attention():
    layer = nn.MultiheadAttention(E, H, dropout=1.0)
    x = [a.astype("float32") for a in qkv()]
    y, weights = layer(*x)
    assert not y.numpy().any()
    assert not weights.numpy().any()
    assert layer.eval()(*x)[0].numpy().any()
    q = ichikara.ones((1, 200, 4))
    v = ichikara.ones((1, 200, 1))
    y = ichikara.scaled_dot_product_attention(q, q, v, dropout_p=0.3, generator=ichikara.Generator(0)).numpy()
    assert abs(y.mean() - 1) < 0.01
    assert y.std() > 0.01


def test_attention_starts_where_pytorchs_does():
    layer = nn.MultiheadAttention(64, 4)
    bound = (6 / (4 * 64)) ** 0.5
    assert 0.95 * bound < abs(layer.in_proj_weight.numpy()).max() <= bound
    assert not layer.in_proj_bias.numpy().any()
    assert not layer.out_proj.bias.numpy().any()
    assert 0.95 / 8 < abs(layer.out_proj.weight.numpy()).max() <= 1 / 8


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: nn.MultiheadAttention(10, 3), "3 heads share the 10"),
        (lambda: nn.MultiheadAttention(E, H)(*qkv(kdim=3)), "key of 4 numbers"),
        (lambda: nn.MultiheadAttention(E, H)(*(x[:, :1] if i else x for i, x in enumerate(qkv()))), "one batch"),
        (lambda: nn.MultiheadAttention(E, H)(*qkv(), attn_mask=np.zeros((S, L))), "attn_mask has the shape"),
        (lambda: nn.MultiheadAttention(E, H)(*qkv(), key_padding_mask=ENDS.T), "key_padding_mask has the shape"),
        (lambda: nn.MultiheadAttention(E, H)(*qkv(), attn_mask=np.zeros((L, S), "int64")), "true and false"),
    ],
)
def test_misuse_of_attention_has_one_clear_error(call, complaint):
    with pytest.raises(UserError, match=complaint):
        call()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"is_causal": True, "attn_mask": np.ones((3, 3), bool)}, "not both"),
        ({"dropout_p": 1.5}, "0 to 1"),
        ({"key": np.ones((1, 3, 5))}, "queries"),
    ],
)
def test_misuse_of_the_function_has_one_clear_error(words, complaint):
    x = np.ones((1, 3, 4))
    inputs = (x, words.pop("key", x), x, words.pop("attn_mask", None))
    with pytest.raises(ValueError, match=complaint):
        ichikara.scaled_dot_product_attention(*inputs, **words)


# --- Transformers -----------------------------------------------------------------------------------------------------


def plain(module):
    """PyTorch's module with ordinary linear layers in its attentions, so that it has the repr of ours."""
    for part in module.modules():
        if isinstance(part, torch.nn.MultiheadAttention):
            out = torch.nn.Linear(part.embed_dim, part.embed_dim, bias=part.out_proj.bias is not None)
            part.out_proj = out
    return module


TRANSFORMERS = [
    {},
    {"norm_first": True},
    {"activation": "gelu"},
    {"batch_first": True},
    {"bias": False, "norm_first": True, "layer_norm_eps": 1e-3},
]
CAUSAL = np.triu(np.full((L, L), -np.inf), 1)


def layers(name, words, number=None):
    """An encoder or decoder layer by both, or a stack of them."""
    made = [getattr(library, f"Transformer{name}Layer")(E, H, 6, 0.0, **words) for library in (nn, torch.nn)]
    if number:
        stacks = [getattr(library, f"Transformer{name}") for library in (nn, torch.nn)]
        norms = [library.LayerNorm(E) for library in (nn, torch.nn)]
        more = {"enable_nested_tensor": False} if name == "Encoder" else {}
        made = [stacks[0](made[0], number, norms[0]), stacks[1](made[1], number, norms[1], **more)]
    return made[0], plain(made[1])


def steps(length, words, seed=0):
    x = normal(length, N, E, seed=seed)
    return x.transpose(1, 0, 2).copy() if words.get("batch_first") else x


@pytest.mark.parametrize(
    ("words", "number"), [*((words, None) for words in TRANSFORMERS), ({}, 2), (TRANSFORMERS[-1], 2)], ids=str
)
def test_an_encoder_is_pytorchs(words, number):
    mine, theirs = layers("Encoder", words, number)
    mask = "mask" if number else "src_mask"
    for masks in ({}, {mask: HIDDEN[:, :L]}, {mask: CAUSAL, "src_key_padding_mask": np.where(ENDS, -np.inf, 0)[:, 2:]}):
        check(mine, theirs, steps(L, words), through=attend(masks))


@pytest.mark.parametrize(
    ("words", "number"), [*((words, None) for words in TRANSFORMERS), ({}, 2), (TRANSFORMERS[-1], 2)], ids=str
)
def test_a_decoder_is_pytorchs(words, number):
    mine, theirs = layers("Decoder", words, number)
    padded = {"tgt_key_padding_mask": ENDS[:, [0, 1, 4]], "memory_key_padding_mask": ENDS}
    for masks in ({}, {"tgt_mask": CAUSAL == 0, "memory_mask": HIDDEN}, padded):
        masks = {**masks, "tgt_mask": ~masks["tgt_mask"]} if "tgt_mask" in masks else masks
        check(mine, theirs, steps(L, words), steps(S, words, seed=9), through=attend(masks))


@pytest.mark.parametrize("words", [{"batch_first": True}, {"norm_first": True, "activation": "gelu"}], ids=str)
def test_a_transformer_is_pytorchs(words):
    mine = nn.Transformer(E, H, 2, 1, 6, 0.0, **words)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of a quicker path that it cannot take
        theirs = plain(torch.nn.Transformer(E, H, 2, 1, 6, 0.0, **words))
    masks = {"tgt_mask": CAUSAL, "memory_key_padding_mask": np.where(ENDS, -np.inf, 0)}
    check(mine, theirs, steps(S, words), steps(L, words, seed=9), through=attend(masks))
    check(mine, theirs, steps(S, words)[0], steps(L, words, seed=9)[0])


def test_is_causal_needs_no_mask():
    words = {"batch_first": True}
    x, memory = steps(L, words), steps(S, words)
    encoder, decoder, whole = (
        layers("Encoder", words, 2)[0],
        layers("Decoder", words, 2)[0],
        nn.Transformer(4, 2, 1, 1, 6),
    )
    for module, given, mask, causal in (
        (encoder, (x,), "mask", "is_causal"),
        (decoder, (x, memory), "tgt_mask", "tgt_is_causal"),
        (whole.eval(), (memory[0], x[0]), "tgt_mask", "tgt_is_causal"),
    ):
        module.to("float64")
        masked = module(*given, **{mask: nn.Transformer.generate_square_subsequent_mask(L)})
        np.testing.assert_allclose(module(*given, **{causal: True}).numpy(), masked.numpy(), **CLOSE)
        assert abs(module(*given).numpy() - masked.numpy()).max() > 1e-3
    assert np.array_equal(nn.generate_square_subsequent_mask(L).numpy(), CAUSAL)


@pytest.mark.parametrize(
    ("kind", "extras"),
    [
        ("TransformerEncoderLayer", ()),
        ("TransformerDecoderLayer", ()),
        ("Transformer", ()),
        ("TransformerEncoder", ()),
        ("TransformerDecoder", ()),
        ("Embedding", ()),
        ("MultiheadAttention", ()),
        ("LSTMCell", ()),
        ("RNNCell", ()),
    ],
)
def test_arguments_by_position_are_pytorchs(kind, extras):
    mine, others = (inspect.signature(getattr(library, kind)).parameters for library in (nn, torch.nn))
    positional = [name for name, p in mine.items() if p.kind is not p.KEYWORD_ONLY]
    assert positional == list(others)[: len(positional)]
    for name in set(mine) & set(others) - {"activation"}:
        assert mine[name].default == others[name].default, name
    assert "activation" not in mine or mine["activation"].default == others["activation"].default.__name__
    calls = [list(inspect.signature(getattr(library, kind).forward).parameters) for library in (nn, torch.nn)]
    assert calls[0] == calls[1]


def test_slopes_of_a_transformer():
    model = nn.Transformer(2, 1, 1, 1, 3, 0.0, activation="gelu", norm_first=True, dtype="float64")
    names = list(dict(model.named_parameters()))

    def function(src, tgt, *weights):
        state = dict(zip(names, weights, strict=True))
        return nn.functional_call(model, state, (src, tgt), {"tgt_is_causal": True})

    ichikara.check_grads(function, normal(2, 2), normal(3, 2), *[p.detach() for p in model.parameters()])


def test_layers_of_a_stack_learn_apart_and_draw_from_one_stream():
    stream = ichikara.Generator(0)
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(E, H, 6, 0.5, generator=stream), 2)
    first, second = stack.layers
    assert np.array_equal(first.linear1.weight.numpy(), second.linear1.weight.numpy())
    assert first.linear1.weight is not second.linear1.weight
    assert all(part.generator is stream for part in stack.modules() if hasattr(part, "generator"))
    x = np.ones((L, N, E), "float32")
    assert stack(x).tolist() != stack(x).tolist()
    stack.eval()
    assert stack(x).tolist() == stack(x).tolist()


def test_a_transformer_starts_where_pytorchs_does():
    model = nn.Transformer(16, 4, 1, 1, 32)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            bound = (6 / sum(parameter.shape)) ** 0.5
            assert 0.9 * bound < abs(parameter.numpy()).max() <= bound, name


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: nn.TransformerEncoderLayer(10, 3), "3 heads share"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="rleu"), "did you mean 'relu'"),
        (lambda: nn.Transformer(4, 2, 1, 1, 6)(np.ones((3, 5)), np.ones((3, 4))), "steps of 4 numbers"),
        (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2), 0), "num_layers"),
    ],
)
def test_misuse_of_transformers_has_one_clear_error(call, complaint):
    with pytest.raises(UserError, match=complaint):
        call()


# --- staged -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "TransformerEncoderLayer"])
def test_a_traced_layer_is_eager(kind, jax):
    words = {"num_layers": 2, "bidirectional": True} if kind in STATES else {"nhead": 2, "dim_feedforward": 6}
    layer = getattr(nn, kind)(4, **({"hidden_size": 3} if kind in STATES else {}), **words, dtype="float64").eval()
    names, arrays = zip(*[(name, p.numpy()) for name, p in layer.named_parameters()], strict=True)

    def step(x, *weights):
        state = {name: ichikara.asarray(w, requires_grad=True) for name, w in zip(names, weights, strict=True)}
        y = parts(nn.functional_call(layer, state, (ichikara.asarray(x),)))[0]
        (y * y).sum().backward()
        return y._data, [w.grad._data for w in state.values()]

    x = normal(3, 2, 4)
    (value, gradients), (traced, traced_gradients) = step(x, *arrays), jax.jit(step)(x, *arrays)
    np.testing.assert_allclose(traced, value, **CLOSE)
    for a, b in zip(traced_gradients, gradients, strict=True):
        np.testing.assert_allclose(a, b, **CLOSE)
