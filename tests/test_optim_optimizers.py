"""Every optimiser, with every option that it has: PyTorch's numbers and state over 20 steps, and errors for people."""

import inspect
import math

import needs
import numpy
import pytest
from contract_optimizers import check_optimizer, tensors

import ichikara
from ichikara import optim
from ichikara.errors import UserError
from ichikara.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

# A row for each optimiser: the options that it is checked with. PyTorch has no l1, so those rows have no oracle there.
CASES = {
    SGD: [
        {},
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        {"lr": 0.1, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.1, "nesterov": True, "maximize": True},
        {"lr": 0.1, "momentum": 0.9, "l1": 0.01},
    ],
    RMSprop: [
        {},
        {"lr": 0.05, "alpha": 0.9, "eps": 1e-6},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.8, "weight_decay": 0.1, "maximize": True},
        {"l1": 0.01},
    ],
    Adagrad: [
        {},
        {"lr": 0.1, "lr_decay": 0.1},
        {"initial_accumulator_value": 0.3, "eps": 1e-6},
        {"weight_decay": 0.1, "maximize": True},
        {"l1": 0.01},
    ],
    Adam: [
        {},
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-6},
        {"betas": (0.0, 0.9)},
        {"betas": (0.9, 0.0), "eps": 1e-3},
        {"amsgrad": True, "betas": (0.9, 0.5)},
        {"weight_decay": 0.1},
        {"weight_decay": 0.1, "amsgrad": True, "maximize": True},
        {"l1": 0.01},
    ],
    AdamW: [
        {},
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.3},
        {"weight_decay": 0.0},
        {"amsgrad": True, "maximize": True, "weight_decay": 0.1},
        {"l1": 0.01},
    ],
}


def of_torch(ours):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    return getattr(torch.optim, ours.__name__)


def name(value):
    return value.__name__ if isinstance(value, type) else ",".join(f"{k}={v}" for k, v in value.items()) or "defaults"


@pytest.mark.parametrize(("ours", "options"), [(o, case) for o in CASES for case in CASES[o]], ids=name)
@pytest.mark.parametrize("kernels", [False, True], ids=["rule", "kernel"])
def test_keeps_the_contract(ours, options, kernels, monkeypatch):
    if kernels and needs.registry():
        monkeypatch.setattr(needs.registry(), "LARGE", 1)
    # JAX traces the rule, whatever kernels there are.
    check_optimizer(ours, None if "l1" in options else of_torch(ours), options, staged=not kernels)


def test_every_optimizer_is_in_the_table():
    exported = {getattr(optim, n) for n in optim.__all__}
    exported = {o for o in exported if isinstance(o, type) and issubclass(o, Optimizer) and o is not Optimizer}
    assert exported == CASES.keys()
    for ours, cases in CASES.items():
        untested = inspect.signature(ours).parameters.keys() - {"params"} - {n for case in cases for n in case}
        assert not untested, f"{ours.__name__}: no case has {untested}"


@pytest.mark.parametrize("ours", CASES, ids=name)
def test_arguments_stand_where_pytorch_has_them(ours):
    theirs = inspect.signature(of_torch(ours)).parameters
    mine = {n: p for n, p in inspect.signature(ours).parameters.items() if n != "l1"}
    switches = ("foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay")
    theirs = {n: p for n, p in theirs.items() if n not in switches}
    assert [(n, p.default) for n, p in mine.items()] == [(n, p.default) for n, p in theirs.items()]
    by_position = [n for n, p in mine.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert by_position == [n for n, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD][: len(by_position)]


@pytest.mark.parametrize("ours", CASES, ids=name)
def test_rules_have_their_optimizers_defaults(ours):
    rule, made = inspect.signature(ours.rule).parameters, inspect.signature(ours).parameters
    options = {n: p.default for n, p in rule.items() if p.kind is p.KEYWORD_ONLY}
    assert options == {n: p.default for n, p in made.items() if n != "params"}


# --- penalties --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours", [SGD, RMSprop, Adagrad, Adam], ids=name)
def test_a_coupled_weight_decay_is_part_of_the_gradient(ours):
    w = numpy.array([1.0, -2.0, 0.0])
    g = numpy.array([0.3, 0.2, 0.1])
    decayed, _ = ours.rule(w, g, {}, lr=0.1, weight_decay=0.1)
    by_hand, _ = ours.rule(w, g + 0.1 * w, {}, lr=0.1)
    numpy.testing.assert_array_equal(decayed, by_hand)


def test_a_decoupled_weight_decay_pulls_at_the_parameter_whatever_its_gradient():
    w = numpy.array([1.0, -2.0, 0.0])
    for scale in (1e-3, 1.0, 1e3):
        g = scale * numpy.array([0.3, 0.2, 0.1])
        pulled, _ = AdamW.rule(w, g, {}, lr=0.1, eps=0.0, weight_decay=0.5)
        free, _ = Adam.rule(w, g, {}, lr=0.1, eps=0.0)
        numpy.testing.assert_allclose(pulled - free, [-0.1 * 0.5, 0.1 * 1.0, 0.0], atol=1e-15)


def by_formula(w, threshold):
    return numpy.sign(w) * numpy.maximum(abs(w) - threshold, 0)


@pytest.mark.parametrize(("ours", "options"), [(o, case) for o in CASES for case in CASES[o]], ids=name)
def test_l1_is_a_soft_threshold_after_the_update_of_every_optimiser(ours, options):
    rng = numpy.random.default_rng(0)
    options = {"lr": 0.1, **options, "l1": 0.5}
    w, state = rng.uniform(-0.3, 0.3, 50), {}
    for step in range(3):
        g = rng.standard_normal(50)
        stepped, without = ours.rule(w, g, state, **{**options, "l1": 0.0})
        w, state = ours.rule(w, g, state, **options)
        rate = options["lr"] / (1 + step * options.get("lr_decay", 0))
        numpy.testing.assert_allclose(w, by_formula(stepped, rate * 0.5), rtol=1e-12, atol=1e-16)
        near = abs(stepped) < 0.999 * rate * 0.5
        assert (w[near] == 0).all()
        for key, value in without.items():  # what is remembered is of the loss alone
            numpy.testing.assert_array_equal(state[key], value)


# Adam compares the penalty with a normalised gradient, which is small for a null weight where batches are drawn.
LASSO = {
    "SGD": (SGD, {"lr": 0.01, "l1": 0.3}, 200),
    "SGD with momentum": (SGD, {"lr": 0.002, "l1": 1.0, "momentum": 0.8}, 200),
    "Adam": (Adam, {"lr": 0.01, "l1": 0.6}, 20),
    "AdamW": (AdamW, {"lr": 0.01, "l1": 0.6}, 20),
}


@pytest.mark.parametrize(("ours", "options", "batch"), LASSO.values(), ids=LASSO.keys())
@pytest.mark.parametrize("staged", [False, True], ids=["eager", "staged"])
def test_the_null_weights_of_a_lasso_become_exact_zeros(ours, options, batch, staged):
    rng = numpy.random.default_rng(0)
    x, true = rng.standard_normal((200, 30)).astype("float32"), numpy.zeros(30, "float32")
    true[:5] = [3.0, -2.0, 1.5, -1.0, 2.0]
    y = x @ true + 0.1 * rng.standard_normal(200).astype("float32")
    weights = [ichikara.zeros(k, requires_grad=True) for k in (5, 20, 5)]  # together a flat group
    optimizer = ours(weights, **options)

    def step(x, y):
        optimizer.zero_grad()
        ((x @ ichikara.concat(weights) - y) ** 2).mean().backward()
        optimizer.step()

    step = ichikara.stage(step) if staged else step
    for _ in range(1500):
        chosen = rng.permutation(200)[:batch]
        step(ichikara.asarray(x[chosen]), ichikara.asarray(y[chosen]))
    found = numpy.concatenate([w.numpy() for w in weights])
    assert (found[5:] == 0).all()
    assert (numpy.sign(found[:5]) == numpy.sign(true[:5])).all()


@pytest.mark.parametrize("ours", CASES, ids=name)
def test_l1_in_a_flat_group_has_the_bits_of_the_loop(ours):
    rng = numpy.random.default_rng(0)
    starts = [rng.uniform(-0.1, 0.1, shape).astype("float32") for shape in ((3, 4), (5,), ())]
    given = [[rng.standard_normal(p.shape).astype("float32") for p in starts] for _ in range(5)]
    mine = [ichikara.asarray(p, requires_grad=True) for p in starts]
    optimizer = ours(mine, lr=0.1, l1=0.3)
    looped, states = starts, [{} for _ in starts]
    for gradients in given:
        for parameter, g in zip(mine, gradients, strict=True):
            parameter.grad = g
        optimizer.step()
        made = [ours.rule(p, g, s, **optimizer.defaults) for p, g, s in zip(looped, gradients, states, strict=True)]
        looped, states = zip(*made, strict=True)
        for parameter, expected in zip(mine, looped, strict=True):
            numpy.testing.assert_array_equal(parameter.numpy(), expected)


def test_under_adam_a_coupled_penalty_holds_large_gradients_less():
    # Two weights, of the same penalty, in a loss that is flat on average: noise of size 1 and of size 100.
    ends = {}
    for ours in (Adam, AdamW):
        rng = numpy.random.default_rng(0)
        w, state = numpy.array([1.0, 1.0]), {}
        for _ in range(500):
            noise = rng.choice([-1.0, 1.0]) * numpy.array([1.0, 100.0])
            w, state = ours.rule(w, noise, state, lr=0.001, weight_decay=1.0)
        ends[ours] = w
    assert ends[Adam][1] - ends[Adam][0] > 0.1
    assert ends[AdamW][1] == pytest.approx(ends[AdamW][0], abs=1e-6)


# --- the class --------------------------------------------------------------------------------------------------------


def test_a_closure_is_called_with_gradients_on_and_its_loss_returned():
    w = ichikara.asarray(3.0, requires_grad=True)
    optimizer = SGD([w], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = w * w
        loss.backward()
        return loss

    with ichikara.no_grad():
        assert optimizer.step(closure).item() == 9
    assert w.item() == 0


def test_a_graph_from_before_a_step_is_refused():
    w = ichikara.asarray(3.0, requires_grad=True)
    loss = w * w
    w.grad = ichikara.asarray(1.0)
    SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError):
        loss.backward()


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
@pytest.mark.parametrize("shape", [(2, 3), (160, 150)], ids=["small", "large"])
@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("taken", ["detach", "a part of it", "data", "a view in a graph"])
def test_what_was_taken_of_a_parameter_before_a_step_stays(taken, staged, shape, rule):
    given = numpy.arange(float(math.prod(shape))).reshape(shape) / math.prod(shape)
    a, b = (ichikara.asarray(given, requires_grad=True) for _ in range(2))
    optimizer = rule([a, b], lr=0.1)

    def step():
        optimizer.zero_grad()
        ((a + b) ** 2).sum().backward()
        optimizer.step()

    step = ichikara.stage(step) if staged else step
    for _ in range(3):
        step()
    before = a.numpy()
    if taken == "a view in a graph":
        view = a.reshape(-1)[1:]
        loss = (view * view).sum()
        step()
        a.grad = None
        loss.backward()
        held, before = view.detach(), before.reshape(-1)[1:]
        numpy.testing.assert_array_equal(a.grad.numpy().reshape(-1)[1:], 2 * before)
    else:
        held = {"detach": lambda: a.detach(), "a part of it": lambda: a.detach()[:, 1:], "data": lambda: a.data}[
            taken
        ]()
        before = before[:, 1:] if taken == "a part of it" else before
        step()
    step()
    numpy.testing.assert_array_equal(numpy.asarray(held), before)
    assert not numpy.array_equal(a.numpy(), given)


@pytest.mark.parametrize("count", [5, 20_000])
@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
def test_the_array_that_a_parameter_was_made_of_stays(rule, count):
    given = numpy.ones(count)
    held = given[1:]
    w = ichikara.asarray(given, requires_grad=True)
    del given
    optimizer = rule([w], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
    assert (held == 1).all()
    assert (w.numpy() < 1).all()


@pytest.mark.parametrize("rule", [lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.Adam(p, lr=0.1)])
def test_parameters_that_have_a_gradient_only_at_times(rule):
    shapes = (3, 4), (5,), (80, 90), (2, 2), (1,)
    drawn = numpy.random.default_rng(0)
    given = [drawn.normal(size=shape).astype("float32") for shape in shapes]
    together, alone = ([ichikara.asarray(x, requires_grad=True) for x in given] for _ in range(2))
    optimizers = [rule(together)], [rule([w]) for w in alone]
    for present in ((0, 1, 2), (0, 1, 2, 3), (1, 3), (), (0, 1, 2, 3, 4), (0, 1, 2, 3, 4), (4,), (0, 1, 2)):
        for k, (a, b) in enumerate(zip(together, alone, strict=True)):
            g = ichikara.asarray(drawn.normal(size=a.shape).astype("float32")) if k in present else None
            a.grad, b.grad = g, g
        for optimizer in (*optimizers[0], *optimizers[1]):
            optimizer.step()
    for a, b in zip(together, alone, strict=True):
        numpy.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


def test_zero_grad():
    w, frozen = ichikara.asarray([1.0, 2.0], requires_grad=True), ichikara.asarray([1.0])
    optimizer = Adam([w, frozen])
    w.grad = ichikara.asarray([1.0, 2.0])
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0, 0]
    optimizer.step()
    optimizer.zero_grad()
    assert w.grad is None
    assert frozen.tolist() == [1]


def test_groups_have_options_of_their_own():
    slow, fast = (ichikara.asarray([1.0], requires_grad=True) for _ in range(2))
    optimizer = SGD([{"params": [slow], "lr": 0.1}, {"params": [fast]}], lr=0.5)
    late = ichikara.asarray([1.0], requires_grad=True)
    optimizer.add_param_group({"params": iter([late]), "weight_decay": 1.0})
    for parameter in (slow, fast, late):
        parameter.grad = ichikara.asarray([1.0])
    optimizer.step()
    assert [slow.item(), fast.item(), late.item()] == pytest.approx([0.9, 0.5, 0.0])
    assert [group["params"] for group in optimizer.state_dict()["param_groups"]] == [[0], [1], [2]]
    assert "group 2: 1 parameters" in repr(optimizer)


def test_names_are_kept():
    pairs = {"weight": ichikara.asarray([1.0], requires_grad=True), "bias": ichikara.asarray(0.0, requires_grad=True)}
    optimizer = SGD(pairs.items())
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(UserError, match="'bias' is given twice"):
        optimizer.add_param_group({"params": [("bias", pairs["bias"])]})
    with pytest.raises(UserError, match="with their names"):
        optimizer.add_param_group({"params": [ichikara.asarray(0.0, requires_grad=True)]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("ours", CASES, ids=name)
@pytest.mark.parametrize("wrong", [numpy.nan, numpy.inf])
def test_a_gradient_that_is_not_finite_is_not_hidden(ours, wrong):
    w = ichikara.asarray([1.0, 1.0], requires_grad=True)
    optimizer = ours([w], lr=0.1)
    with numpy.errstate(all="ignore"):
        for _ in range(2):
            w.grad = ichikara.asarray([wrong, 1.0])
            optimizer.step()
    assert not numpy.isfinite(w.numpy()[0])
    assert numpy.isfinite(w.numpy()[1])


def test_numbers_of_other_kinds_do_not_widen():
    w = ichikara.asarray([1.0], requires_grad=True)
    options = {"lr": numpy.float64(0.1), "betas": [numpy.float64(0.9), 0.99], "eps": ichikara.asarray(1e-8)}
    optimizer = Adam([w], **options, weight_decay=1)
    w.grad = ichikara.asarray([1.0])
    optimizer.step()
    assert w.dtype == "float32"
    assert {type(v) for k, v in optimizer.defaults.items() if k in ("lr", "eps")} == {float}
    optimizer.param_groups[0]["lr"] = numpy.float64(0.1)  # as a schedule of the user's own may
    optimizer.step()
    assert w.dtype == "float32"
    assert {v.dtype.name for v in optimizer.state[w].values()} == {"float32", "int32"}


# --- errors -----------------------------------------------------------------------------------------------------------


class Net:
    def parameters(self):
        return iter(tensors("float32"))


def made():
    return ichikara.asarray([1.0], requires_grad=True) * 2


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        (list, UserError, "list of parameters is empty.*call it again"),
        (lambda: iter([]), UserError, "list of parameters is empty"),
        (lambda: [{"params": []}], UserError, "group of parameters is empty"),
        (Net, TypeError, r"give it the .parameters\(\) of this Net"),
        (lambda: ichikara.asarray([1.0]), TypeError, r"\[tensor\]"),
        (lambda: {ichikara.asarray([1.0])}, TypeError, "a set has no order"),
        (lambda: {"params": [ichikara.asarray([1.0])]}, TypeError, "this is a dictionary"),
        (lambda: 3, TypeError, "not of type int"),
        (lambda: "weights", TypeError, "not of type str"),
        (lambda: [numpy.zeros(3)], TypeError, "parameter 0 is not a Tensor but of type ndarray"),
        (lambda: [made()], TypeError, r"parameter 0 \(shape \(1,\)\) was made by an operation.*give the leaf"),
        (lambda: tensors("float32")[:1] * 2, UserError, "number 1 .* is given twice"),
        (lambda: [("a", ichikara.asarray([1.0])), ichikara.asarray([1.0])], UserError, "all or none"),
        (lambda: [{"tensors": []}], TypeError, 'under "params"'),
        (lambda: [{"params": tensors("float32"), "rate": 1.0}], UserError, "unknown option of SGD 'rate'"),
        (lambda: [{"params": tensors("float32"), "lr": -1.0}], UserError, "lr is a number of at least 0, not -1.0"),
    ],
)
def test_what_is_no_list_of_parameters_is_answered(params, error, words):
    with pytest.raises(error, match=words):
        SGD(params())


@pytest.mark.parametrize(
    ("ours", "options", "words"),
    [
        (SGD, {"lr": -0.1}, "lr is a number of at least 0, not -0.1"),
        (SGD, {"lr": True}, "lr is a number, not True"),
        (SGD, {"lr": "0.1"}, "lr is a number, not '0.1'"),
        (SGD, {"lr": None}, "lr is a number, not None"),
        (SGD, {"lr": numpy.zeros(3)}, "lr is a single number"),
        (SGD, {"lr": float("nan")}, "lr is not a number"),
        (SGD, {"lr": float("inf")}, "lr is a number of at least 0, not inf"),
        (SGD, {"momentum": -0.9}, "momentum is a number of at least 0, not -0.9"),
        (SGD, {"weight_decay": -1}, "weight_decay is a number of at least 0"),
        (SGD, {"l1": -1}, "l1 is a number of at least 0"),
        (SGD, {"nesterov": True}, "Nesterov's momentum needs a momentum above 0 and no dampening"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "no dampening"),
        (SGD, {"nesterov": 1}, "nesterov is true or false, not 1"),
        (RMSprop, {"alpha": -1}, "alpha is a number of at least 0"),
        (Adagrad, {"lr_decay": -1}, "lr_decay is a number of at least 0"),
        (Adagrad, {"initial_accumulator_value": -1}, "initial_accumulator_value is a number of at least 0"),
        (Adam, {"betas": (1.0, 0.9)}, r"betas\[0\] .* from 0 to below 1, not 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, r"betas\[1\]"),
        (Adam, {"betas": 0.9}, "betas are two numbers"),
        (Adam, {"betas": (0.9, True)}, r"betas\[1\] is a number, not True"),
        (AdamW, {"eps": -1e-8}, "eps is a number of at least 0"),
    ],
)
def test_a_wrong_option_is_answered(ours, options, words):
    with pytest.raises(UserError, match=words):
        ours(tensors("float32"), **options)


def test_the_base_class_is_not_made():
    with pytest.raises(TypeError, match="make one of"):
        Optimizer(tensors("float32"), {})


def stepped(ours=Adam, **options):
    parameters = tensors("float32")
    optimizer = ours(parameters, **options)
    for parameter in parameters:
        parameter.grad = ichikara.asarray(numpy.ones(parameter.shape, "float32"))
    optimizer.step()
    return optimizer


def spoil(change):
    saved = stepped().state_dict()
    saved["state"] = {i: dict(memory) for i, memory in saved["state"].items()}
    answer = change(saved)
    return answer if isinstance(answer, str) else saved


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: "weights", "this is not one"),
        (lambda s: s.update(state=[1, 2]), "this is not one"),
        (lambda s: s.update(param_groups=3), "this is not one"),
        (lambda s: s.update(param_groups=[{"lr": 0.1}]), "this is not one"),
        (lambda s: s["state"].update({0: "weights"}), "this is not one"),
        (lambda s: s["param_groups"][0].update(params=[0, 1]), r"groups of \[2\] parameters.*groups of \[5\]"),
        (lambda s: s["param_groups"].append(s["param_groups"][0]), r"groups of \[5, 5\]"),
        (lambda s: s["param_groups"][0].update(rate=1), "unknown option of Adam 'rate'"),
        (lambda s: s["param_groups"][0].update(lr=-1), "lr is a number of at least 0"),
        (lambda s: s["param_groups"][0].pop("betas"), "lack betas.*another optimiser than Adam"),
        (lambda s: s["param_groups"][0].update(amsgrad=True), "parameter 0 of Adam lacks max_exp_avg_sq"),
        (lambda s: s["state"][1].pop("exp_avg"), "parameter 1 of Adam lacks exp_avg"),
        (lambda s: s["state"][1].update(velocity=0), "'velocity'"),
        (
            lambda s: s["state"][1].update(exp_avg=numpy.zeros(6)),
            r"exp_avg of parameter 1 has shape \(6,\).*\(5,\) here",
        ),
        (lambda s: s["state"][1].update(step=numpy.zeros(1)), r"step of parameter 1 has shape \(1,\)"),
        (lambda s: s["state"].update({9: {}}), "state of parameter 9"),
    ],
)
def test_a_state_that_does_not_fit_is_answered_and_changes_nothing(change, words):
    optimizer = stepped(lr=0.5)
    before = optimizer.state_dict()
    with pytest.raises(UserError, match=words):
        optimizer.load_state_dict(spoil(change))
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert all(after["state"][i][k] is not None for i in before["state"] for k in before["state"][i])
    for i, memory in before["state"].items():
        for k, value in memory.items():
            numpy.testing.assert_array_equal(after["state"][i][k], value)


def test_another_optimizers_state_is_refused():
    with pytest.raises(UserError, match="unknown option of SGD 'betas'"):
        SGD(tensors("float32")).load_state_dict(stepped().state_dict())


def test_state_cannot_be_changed_from_outside():
    optimizer = stepped()
    saved = optimizer.state_dict()
    with pytest.raises(ValueError, match="read-only"):
        saved["state"][0]["exp_avg"][0, 0] = 5
    mine = {i: {k: v.copy() for k, v in memory.items()} for i, memory in saved["state"].items()}
    other = Adam(tensors("float32"))
    other.load_state_dict({"state": mine, "param_groups": saved["param_groups"]})
    mine[0]["exp_avg"][:] = 9
    numpy.testing.assert_array_equal(other.state_dict()["state"][0]["exp_avg"], saved["state"][0]["exp_avg"])


def test_arrays_of_jax_stay_so():
    jax = pytest.importorskip("jax", reason="JAX's arrays are what this test is about")
    w = ichikara.asarray(jax.numpy.asarray([1.0, 2.0], dtype="float32"), requires_grad=True)
    optimizer = Adam([w], lr=0.1)
    (w * w).sum().backward()
    optimizer.step()
    other = Adam([w])
    other.load_state_dict(optimizer.state_dict())
    other.step()
    for array in (w._data, *other.state[w].values()):
        assert isinstance(array, jax.Array)
    assert w.dtype == "float32"
    numpy.testing.assert_allclose(w.numpy(), [0.8, 1.8], rtol=1e-5)
