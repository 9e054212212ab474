"""Every schedule: PyTorch's values at each step, the same by its formula, and exactly so after a resume."""

import json
import math

import pytest

import ichikara
from ichikara import optim
from ichikara.errors import UserError
from ichikara.optim import (
    SGD,
    Adam,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

STEPS = 130

# Each row makes a schedule from a library's classes, ours or PyTorch's, on an optimiser of two groups.
CASES = {
    "lambda": lambda lib, o: lib.LambdaLR(o, lambda step: 0.95**step),
    "a lambda each": lambda lib, o: lib.LambdaLR(
        o, lr_lambda=[lambda step: 1 / (1 + step), lambda step: 1 + math.cos(step)]
    ),
    "step": lambda lib, o: lib.StepLR(o, step_size=30),
    "step, gamma": lambda lib, o: lib.StepLR(o, 7, gamma=0.7),
    "multi-step": lambda lib, o: lib.MultiStepLR(o, milestones=[80, 10, 10, 33], gamma=0.3),
    "exponential": lambda lib, o: lib.ExponentialLR(o, 0.97),
    "cosine": lambda lib, o: lib.CosineAnnealingLR(o, T_max=STEPS),
    "cosine, up again": lambda lib, o: lib.CosineAnnealingLR(o, 25, eta_min=1e-3),
    "linear": lambda lib, o: lib.LinearLR(o),
    "linear, down": lambda lib, o: lib.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=100),
    "one-cycle": lambda lib, o: lib.OneCycleLR(o, max_lr=0.3, total_steps=STEPS),
    "one-cycle, epochs": lambda lib, o: lib.OneCycleLR(o, [0.3, 0.1], epochs=13, steps_per_epoch=10, pct_start=0.15),
    "one-cycle, three phases": lambda lib, o: lib.OneCycleLR(
        o, 0.3, total_steps=STEPS, three_phase=True, anneal_strategy="linear", base_momentum=[0.8, 0.7]
    ),
    "one-cycle, odd factors": lambda lib, o: lib.OneCycleLR(
        o, 0.3, STEPS, cycle_momentum=False, div_factor=10, final_div_factor=7, max_momentum=0.99
    ),
    "warm-up, then cosine": lambda lib, o: lib.SequentialLR(
        o, [lib.LinearLR(o, 0.01, total_iters=10), lib.CosineAnnealingLR(o, STEPS - 10)], milestones=[10]
    ),
    "three in a row": lambda lib, o: lib.SequentialLR(
        o,
        [lib.LinearLR(o, total_iters=4), lib.StepLR(o, 10, gamma=0.5), lib.ExponentialLR(o, gamma=0.9)],
        milestones=[5, 70],
    ),
}

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
both_optimizers = pytest.mark.parametrize("kind", ["SGD", "Adam"])


def of_ours(kind="SGD"):
    made = {"SGD": lambda p: SGD(p, lr=0.1, momentum=0.9), "Adam": lambda p: Adam(p, lr=0.1)}[kind]
    a, b = (ichikara.asarray([1.0], requires_grad=True) for _ in range(2))
    return made([{"params": [a]}, {"params": [b], "lr": 0.02}])


def of_torch(kind="SGD"):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    a, b = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [a]}, {"params": [b], "lr": 0.02}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9) if kind == "SGD" else torch.optim.Adam(groups, lr=0.1)


def settings(optimizer):
    """What a schedule may have set in the optimiser's groups."""
    return [[g["lr"], g.get("momentum", g.get("betas", [0])[0])] for g in optimizer.param_groups]


def assert_equal(mine, theirs, step):
    for ours, expected in zip(mine, theirs, strict=True):
        assert ours == pytest.approx(expected, rel=1e-11, abs=1e-16), f"step {step}"


@every_case
@both_optimizers
def test_values_are_pytorchs(case, kind):
    theirs_on = of_torch(kind)
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours_on = of_ours(kind)
    ours, theirs = case(optim, ours_on), case(torch.optim.lr_scheduler, theirs_on)
    for step in range(STEPS):
        assert_equal(settings(ours_on), settings(theirs_on), step)
        assert ours.get_last_lr() == [group["lr"] for group in ours_on.param_groups] == ours.lr(step)
        ours_on.step(), theirs_on.step()
        ours.step(), theirs.step()
    assert_equal(settings(ours_on), settings(theirs_on), STEPS)


@every_case
@both_optimizers
@pytest.mark.parametrize("stop", [0, 1, 10, 63])
@pytest.mark.parametrize("schedule_last", [True, False])
def test_a_resume_is_exact(case, kind, stop, schedule_last):
    straight = of_ours(kind)
    schedule = case(optim, straight)
    for _ in range(stop):
        schedule.step()
    saved, of_optimizer = json.loads(json.dumps(schedule.state_dict())), json.loads(json.dumps(straight.state_dict()))
    resumed = of_ours(kind)
    other = case(optim, resumed)
    loads = [lambda: resumed.load_state_dict(of_optimizer), lambda: other.load_state_dict(saved)]
    for load in loads if schedule_last else reversed(loads):
        load()
    for _ in range(stop, STEPS):
        assert settings(resumed) == settings(straight)
        assert other.get_last_lr() == schedule.get_last_lr()
        schedule.step(), other.step()
    assert other.state_dict() == schedule.state_dict()


@pytest.mark.parametrize("case", [CASES[name] for name in ("step", "exponential", "cosine", "linear, down")])
def test_last_epoch_goes_on(case):
    optimizer = of_ours()
    schedule = case(optim, optimizer)
    for _ in range(5):
        schedule.step()
    again = type(schedule).__new__(type(schedule))
    options = {k: v for k, v in schedule.state_dict().items() if k in ("step_size", "gamma", "T_max", "total_iters")}
    options |= {k: v for k, v in schedule.state_dict().items() if k.endswith("_factor")}
    again.__init__(optimizer, **options, last_epoch=4)
    assert again.get_last_lr() == schedule.get_last_lr()
    assert again.last_epoch == 5


PLATEAUS = {
    "defaults": {},
    "quick": {"patience": 2, "factor": 0.5},
    "a score": {"mode": "max", "patience": 1},
    "in its own unit": {"threshold_mode": "abs", "threshold": 0.1, "patience": 1, "factor": 0.7},
    "a score in its own unit": {"mode": "max", "threshold_mode": "abs", "threshold": 0.1, "patience": 0, "factor": 0.9},
    "cooldown": {"patience": 1, "cooldown": 4, "factor": 0.5},
    "least rates": {"patience": 0, "factor": 0.1, "min_lr": [1e-3, 1e-4]},
    "least change": {"patience": 0, "factor": 0.9, "eps": 5e-3},
}


def losses():
    """A loss that falls, stands still, jumps, and once is not a number."""
    for step in range(STEPS):
        yield math.nan if step == 40 else 1 / (1 + step // 9) + 0.3 * (step % 5 == 0) + 0.2 * math.sin(step)


@pytest.mark.parametrize("options", PLATEAUS.values(), ids=PLATEAUS.keys())
def test_plateau_is_pytorchs_and_resumes(options):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle of this test")
    ours_on, theirs_on = of_ours(), of_torch()
    ours = ReduceLROnPlateau(ours_on, **options)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs_on, **options)
    cuts = set()
    for step, loss in enumerate(losses()):
        ours.step(ichikara.asarray(loss, dtype="float64")), theirs.step(loss)
        assert_equal(settings(ours_on), settings(theirs_on), step)
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr())
        assert (ours.best, ours.num_bad_epochs, ours.cooldown_counter) == (
            theirs.best,
            theirs.num_bad_epochs,
            theirs.cooldown_counter,
        )
        cuts.add(ours.get_last_lr()[0])
        if step % 30 == 7:
            saved = json.loads(json.dumps(ours.state_dict()))
            ours_on = of_ours()
            ours = ReduceLROnPlateau(ours_on)
            ours.load_state_dict(saved)
    assert len(cuts) > 1


# --- several schedules of one optimiser -------------------------------------------------------------------------------

# What each schedule is among others: a row for each, made from a library's classes, ours or PyTorch's.
TOGETHER = {
    "lambda": lambda lib, o: lib.LambdaLR(o, lambda step: 0.9**step),
    "step": lambda lib, o: lib.StepLR(o, 3, gamma=0.5),
    "multi-step": lambda lib, o: lib.MultiStepLR(o, [0, 2, 2, 7], gamma=0.5),
    "exponential": lambda lib, o: lib.ExponentialLR(o, 0.8),
    "cosine": lambda lib, o: lib.CosineAnnealingLR(o, 4),
    "cosine, least rate": lambda lib, o: lib.CosineAnnealingLR(o, 6, eta_min=1e-3),
    "warm-up": lambda lib, o: lib.LinearLR(o, 0.25, total_iters=5),
    "linear to 0": lambda lib, o: lib.LinearLR(o, 1.0, 0.0, total_iters=9),
    "one-cycle": lambda lib, o: lib.OneCycleLR(o, 0.3, total_steps=40),
    "sequence": lambda lib, o: lib.SequentialLR(
        o, [lib.LinearLR(o, 0.1, total_iters=3), lib.CosineAnnealingLR(o, 9), lib.ExponentialLR(o, 0.9)], [3, 8]
    ),
    "plateau": lambda lib, o: lib.ReduceLROnPlateau(o, factor=0.5, patience=0),
}


def step_each(schedules, loss):
    for schedule in schedules:
        schedule.step(*([loss] if type(schedule).__name__ == "ReduceLROnPlateau" else []))


@pytest.mark.parametrize("first", TOGETHER)
@pytest.mark.parametrize("second", TOGETHER)
def test_a_pair_of_schedules_is_pytorchs_and_resumes(torch, first, second):
    rows = [TOGETHER[first], TOGETHER[second]]
    ours_on, theirs_on = of_ours(), of_torch()
    ours = [row(optim, ours_on) for row in rows]
    theirs = [row(torch.optim.lr_scheduler, theirs_on) for row in rows]
    for step in range(24):
        if min(rate for expected in theirs for rate in expected.get_last_lr()) < 0:
            # PyTorch's cosine, of a rate below its eta_min.
            assert step > 8
            assert min(group["lr"] for group in ours_on.param_groups) >= 0
            return
        assert_equal(settings(ours_on), settings(theirs_on), step)
        for schedule, expected in zip(ours, theirs, strict=True):
            assert schedule.get_last_lr() == pytest.approx(expected.get_last_lr(), rel=1e-11, abs=1e-16)
        if step == 6:  # the user has a say too
            ours_on.param_groups[0]["lr"] = theirs_on.param_groups[0]["lr"] = 0.05
        if step in (4, 6, 11):
            states = json.loads(json.dumps([part.state_dict() for part in (ours_on, *ours)]))
            ours_on = of_ours()
            ours = [row(optim, ours_on) for row in rows]
            for k in ((0, 1, 2), (2, 0, 1), (2, 1, 0))[step % 3]:
                (ours_on, *ours)[k].load_state_dict(states[k])
        theirs_on.step()
        loss = 1 / (1 + step // 5)
        step_each(ours, loss), step_each(theirs, loss)


def test_schedules_that_are_stepped_together_multiply():
    optimizer = of_ours()
    schedules = ExponentialLR(optimizer, 0.5), StepLR(optimizer, 100)
    for _ in range(5):
        step_each(schedules, None)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.003125)


@pytest.mark.parametrize("row", [name for name in TOGETHER if name not in ("lambda", "one-cycle", "sequence")])
def test_a_cut_of_the_rate_holds(row):
    cut, uncut = of_ours(), of_ours()
    schedule, other = TOGETHER[row](optim, cut), TOGETHER[row](optim, uncut)
    plateau = ReduceLROnPlateau(cut, factor=0.1, patience=0)
    for loss in (1.0, 1.0, 1.0, 0.5):  # two cuts
        step_each([schedule, plateau], loss), step_each([other], loss)
    if row != "plateau":
        least = 1e-3 if row == "cosine, least rate" else 0.0  # what lies above it is cut
        rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in (cut, uncut)]
        for mine, whole in zip(*rates, strict=True):
            assert mine - least <= 0.011 * (whole - least) or mine == whole == 0


def test_a_schedule_of_ones_own_is_chained():
    class Halving(LRScheduler):
        def rate(self, step, base_lr):
            return base_lr / 2**step

    optimizer = of_ours()
    schedules = Halving(optimizer), Halving(optimizer)
    step_each(schedules, None)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.025, 0.005])


def test_a_state_without_the_present_rates_is_loaded():
    schedule = StepLR(of_ours(), 1)
    schedule.step()
    saved = schedule.state_dict()
    del saved["present_lrs"]  # as they were saved before schedules were chained
    other = StepLR(of_ours(), 1)
    other.load_state_dict(saved)
    assert settings(other.optimizer) == settings(schedule.optimizer)


# --- a schedule by itself ---------------------------------------------------------------------------------------------


def test_every_schedule_is_tested():
    exported = {getattr(optim, n) for n in optim.__all__}
    exported = {s for s in exported if isinstance(s, type) and issubclass(s, LRScheduler)}
    assert exported - {LRScheduler} == {type(case(optim, of_ours())) for case in CASES.values()} | {ReduceLROnPlateau}
    assert exported - {LRScheduler} == {type(row(optim, of_ours())) for row in TOGETHER.values()}


def test_a_schedule_drives_the_steps():
    w = ichikara.asarray(10.0, requires_grad=True)
    optimizer = SGD([w], lr=1.0)
    schedule = StepLR(optimizer, step_size=1, gamma=0.5)
    for expected in (9.0, 8.5, 8.25):
        w.grad = ichikara.asarray(1.0)
        optimizer.step()
        schedule.step()
        assert w.item() == expected


def test_a_second_schedule_starts_from_the_first_rates():
    optimizer = of_ours()
    first = ExponentialLR(optimizer, 0.5)
    first.step()
    assert ExponentialLR(optimizer, 0.9).base_lrs == [0.1, 0.02]


def test_a_one_cycle_of_one_step_of_rise():
    schedule = OneCycleLR(of_ours(), max_lr=1.0, total_steps=10, pct_start=0.1)  # PyTorch divides by zero here
    assert schedule.lr(0) == [1.0, 1.0]
    assert schedule.lr(9) == pytest.approx([1 / 25e4] * 2)


def sequence(*milestones, schedules=2):
    optimizer = of_ours()
    return SequentialLR(optimizer, [ExponentialLR(optimizer, 0.9) for _ in range(schedules)], list(milestones))


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: StepLR([0.1], 3), TypeError, "made on an optimiser, and this is of type list"),
        (lambda: StepLR(of_ours(), 0), UserError, "step_size is a whole number of at least 1, not 0"),
        (lambda: StepLR(of_ours(), 2.5), UserError, "step_size is a whole number"),
        (lambda: StepLR(of_ours(), 3, gamma=-1), UserError, "gamma is a number of at least 0"),
        (lambda: StepLR(of_ours(), 3, last_epoch=4), UserError, "this optimiser has had none"),
        (lambda: MultiStepLR(of_ours(), [3, 0.5]), UserError, "a milestone is a whole number"),
        (lambda: LambdaLR(of_ours(), [math.cos]), UserError, "one for each of the optimiser's 2 groups"),
        (lambda: CosineAnnealingLR(of_ours(), T_max=0), UserError, "T_max is a whole number of at least 1"),
        (lambda: LinearLR(of_ours(), start_factor=0), UserError, "start_factor is the part"),
        (lambda: LinearLR(of_ours(), end_factor=1.5), UserError, "end_factor is the part"),
        (lambda: LinearLR(of_ours(), total_iters=0), UserError, "total_iters is a whole number of at least 1"),
        (lambda: OneCycleLR(of_ours(), 0.1), UserError, "give total_steps, or both epochs and steps_per_epoch"),
        (lambda: OneCycleLR(of_ours(), 0.1, total_steps=-3), UserError, "total_steps is a whole number"),
        (lambda: OneCycleLR(of_ours(), [0.1], 10), UserError, "max_lr has 1 numbers, and the optimiser 2 groups"),
        (lambda: OneCycleLR(of_ours(), 0.1, 10, pct_start=1.5), UserError, "pct_start is a number from 0 to 1"),
        (lambda: OneCycleLR(of_ours(), 0.1, 10, anneal_strategy="cosine"), UserError, "did you mean 'cos'"),
        (lambda: OneCycleLR(of_ours(), 0.1, 10).lr(11), UserError, "step 11 is beyond the cycle.*10 steps"),
        (lambda: ReduceLROnPlateau(of_ours(), factor=1.0), UserError, "factor is .* below 1, not 1.0"),
        (lambda: ReduceLROnPlateau(of_ours(), mode="maximum"), UserError, "unknown mode 'maximum'"),
        (lambda: ReduceLROnPlateau(of_ours(), min_lr=[0.1]), UserError, "min_lr has 1 numbers"),
        (lambda: ReduceLROnPlateau(of_ours()).lr(3), UserError, "no step's rate is known beforehand"),
        (lambda: sequence(5, 5, schedules=3), UserError, "milestones rise"),
        (lambda: sequence(5, schedules=3), UserError, "3 schedules need 2 milestones, and 1 were given"),
        (lambda: SequentialLR(of_ours(), [ExponentialLR(of_ours(), 0.9)], []), UserError, "another optimiser"),
        (lambda: SequentialLR(of_ours(), [ReduceLROnPlateau(of_ours())], []), UserError, "depends on the loss"),
        (lambda: SequentialLR(of_ours(), [0.1], []), TypeError, "schedule 0 is of type float"),
        (lambda: StepLR(of_ours(), 3).load_state_dict({}), UserError, "not the state of a StepLR"),
        (
            lambda: StepLR(of_ours(), 3).load_state_dict(ExponentialLR(of_ours(), 0.9).state_dict()),
            UserError,
            "not the state of a StepLR: that has step_size",
        ),
        (lambda: LRScheduler(of_ours()), NotImplementedError, "no rate"),
    ],
)
def test_misuse_is_answered(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_an_optimizer_without_momentum_has_none_to_cycle():
    optimizer = optim.Adagrad([ichikara.asarray(1.0, requires_grad=True)])
    with pytest.raises(UserError, match="cycle_momentum=False"):
        OneCycleLR(optimizer, 0.1, 10)
    OneCycleLR(optimizer, 0.1, 10, cycle_momentum=False).step()


@pytest.mark.parametrize("make", [lambda o: StepLR(o, 3), ReduceLROnPlateau])
def test_groups_that_came_later_are_answered(make):
    optimizer = of_ours()
    schedule = make(optimizer)
    optimizer.add_param_group({"params": [ichikara.asarray(1.0, requires_grad=True)]})
    with pytest.raises(UserError, match="made for 2 groups of parameters, and the optimiser has 3"):
        schedule.step(*([1.0] if isinstance(schedule, ReduceLROnPlateau) else []))
    with pytest.raises(UserError, match="was of 2 groups of parameters, and the optimiser has 3"):
        schedule.load_state_dict(schedule.state_dict())
