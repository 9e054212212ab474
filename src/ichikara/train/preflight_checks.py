"""The checks of `preflight`, each in a block after which everything is as before."""

import math
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

import numpy

from .. import ops
from ..arrays import Observer, interpreting, using
from ..autodiff import Tensor, asarray, flatten, no_grad, raw
from ..memory import available, rounded
from ..optim import Adam
from ..words import say
from .adversarial import AdversarialTrainer
from .averaging import are_finite
from .divergence import DivergedError, RecentSteps, message, no_metrics
from .lr_finder import find_learning_rate, probe_of, without_end
from .own_gradients import check_own_gradients
from .restoring import AsItWas
from .trainer import Trainer

__all__ = ["Checks", "Found"]

BY_HEART = 0.3
"""A batch is learnt by heart if its loss falls to this share of what it was: without looking at the inputs, a network
that knows the frequencies of a few classes hardly gets there."""

UNMOVED = 0.99
"""A loss that stays above this share of what it was has not fallen at all."""

EXAMPLES = 16
"""How many examples are learnt by heart."""

RATES = 1e-3, 1e-2, 1e-1
"""The learning rates at which Adam tries to learn them."""

STILL = 0.95
"""A loss was still falling if its last quarter has gone below this share of what it was before."""

ENOUGH = 20
"""How many steps it takes to say that they cannot be learnt."""

HIGH = {True: 3.0, False: 10.0}
"""The loss at the start, relative to that of a constant answer, above which it is worth a look: for classes, and for
numbers, whose squares grow faster."""

LOW = 0.3
"""The same, below which it is."""

TOO_HIGH, TOO_LOW = 3.0, 1e-3
"""The learning rate, relative to that at which the smoothed loss of the sweep is lowest, which is almost too large."""

SWEEP = 30, 100
"""How many rates a sweep needs, and how many it has at most."""


class Found(NamedTuple):
    """What a check found; see `Check`."""

    state: str
    finding: str
    about: Mapping[str, Any] = {}


class Checks:
    """The checks of a trainer.

    Arguments: as of `preflight`. Attributes: ``shapes``, for each layer its path, class and output shapes.
    """

    def __init__(self, trainer: Trainer, loader: Any, epochs: int, seconds: float):
        self.trainer, self.loader, self.epochs, self.seconds = trainer, loader, epochs, seconds
        self.shapes: list[tuple[str, str, tuple]] = []
        self._each = 0.0  # how many seconds a step takes
        with self._as_it_was():
            self.inputs, self.targets = next(without_end(loader))

    def run(self) -> Iterator[tuple[str, Found]]:
        """The name of each check, and what it found. After a step that fails, the others are skipped."""
        adversarial = isinstance(self.trainer, AdversarialTrainer)
        checks: dict[str, Callable[[], Found]] = {
            "shapes": self._shapes,
            "gradients": self._gradients,
            "start": self._start,
            "steps": self._steps,
            "memory": self._memory,
            "by_heart": self._by_heart,
            "rate": self._rate,
        }
        failed = False
        for name, check in checks.items():
            if failed:
                found = Found("skipped", "unreached")
            elif adversarial and name in ("start", "by_heart", "rate"):
                found = Found("skipped", "adversarial")
            else:
                with self._as_it_was():
                    found = check()
                failed = name in ("shapes", "start", "steps") and found.state == "failed"
            yield name, found

    @contextmanager
    def _as_it_was(self) -> Iterator[None]:
        trainer = self.trainer
        with AsItWas(trainer, self.loader), using(trainer.generator), numpy.errstate(all="ignore"):
            trainer.model.train()
            yield

    def _probe(self, engine: str) -> Trainer:
        """A trainer that takes the same steps without counting them."""
        if not isinstance(self.trainer, AdversarialTrainer):
            return probe_of(self.trainer, engine)
        options: dict[str, Any] = {"generator": self.trainer.generator, "engine": engine, "watch": False}
        return AdversarialTrainer(self.trainer.model, self.trainer.optimizer, smooth=self.trainer.smooth, **options)

    # --- one batch ----------------------------------------------------------------------------------------------------

    def _shapes(self) -> Found:
        seen = _Shapes(self.trainer.model)
        try:
            with interpreting(seen):
                self._probe("eager").step(self.inputs, self.targets)
        except DivergedError:
            pass  # `_start` says more
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            shapes = {"inputs": numpy.shape(self.inputs), "targets": numpy.shape(self.targets)}
            if seen.failed is None:
                return Found("failed", "outside", {"error": said, "outputs": _written(seen.last), **shapes})
            path, kind, given = seen.failed
            return Found("failed", "inside", {"layer": path, "kind": kind, "given": _written(given), "error": said})
        self.shapes = seen.rows
        layers = sum(not any(True for _ in module.children()) for module in self.trainer.model.modules())
        about = {"inputs": numpy.shape(self.inputs), "outputs": _written(seen.last), "layers": layers}
        return Found("passed", "fine", about)

    def _gradients(self) -> Found:
        inputs = self.inputs
        if isinstance(self.trainer, AdversarialTrainer):
            inputs = self.trainer.generator.normal((len(inputs), self.trainer.model.latent))
        found = check_own_gradients(self.trainer, inputs, self.seconds)
        for one in found:
            if one.state == "wrong":
                of: dict[str, Any] = {"name": one.name or one.kind, "kind": one.kind, "of": one.about}
                of |= {"told": one.told, "slope": one.slope}
                return Found("warning", "detached", of) if one.detached else Found("failed", "wrong", of)
        right = [one for one in found if one.state == "right"]
        skipped = [one for one in found if one.state == "skipped"]
        if not skipped:
            return Found("passed", "fine" if right else "none", {"right": len(right)})
        first = skipped[0]
        about: dict[str, Any] = {"right": len(right), "skipped": len(skipped), "name": first.name or first.kind}
        about["reason"] = Reason(first.reason, first.about)
        return Found("passed" if right else "skipped", "partly", about)

    def _start(self) -> Found:
        with no_grad():
            output, targets = self.trainer.model(asarray(self.inputs)), asarray(self.targets)
            value = self.trainer.loss(output, targets).item()
            constant = _constant_loss(self.trainer.loss, output, targets) if value > 0 else None
        if not math.isfinite(value):
            batch = self.inputs, self.targets, True
            found = self._diverged(self._probe("eager"), [batch], {"loss": str(value)})
            return found or Found("failed", "diverged_unknown", {"loss": str(value)})
        if constant is None:
            return Found("passed", "alone", {"loss": value})
        ratio = value / constant
        about = {"loss": value, "constant": constant}
        if LOW <= ratio <= HIGH[targets.dtype.kind in "iu"]:
            return Found("passed", "fine", about)
        return Found("warning", "high" if ratio > 1 else "low", about)

    def _memory(self) -> Found:
        probe, was = self._probe("eager"), tracemalloc.is_tracing()
        if not was:
            tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            probe.step(self.inputs, self.targets)
            used = tracemalloc.get_traced_memory()[1] - before
        finally:
            if not was:
                tracemalloc.stop()
        weights = sum(parameter.size * parameter.dtype.itemsize for parameter in probe.model.parameters())
        free = available()
        about = {"weights": Bytes(weights), "step": Bytes(used), "free": Bytes(free)}
        return Found("failed", "scarce", about) if used > free else Found("passed", "fine", about)

    # --- some steps ---------------------------------------------------------------------------------------------------

    def _steps(self) -> Found:
        probe = self._probe(self.trainer.engine)
        took: list[float] = []
        failed = self._diverged(probe, self._timed(took, probe.accumulate), {"lr": self.trainer.learning_rate})
        if failed is not None:
            return failed
        self._each = median(took[1:])
        count = len(self.loader) * self.epochs
        whole = took[0] + self._each * (count - 1)
        about = {"first": Duration(took[0]), "each": Duration(self._each), "count": count, "whole": Duration(whole)}
        return Found("passed", "fine", about)

    def _timed(self, took: list[float], accumulate: int) -> Iterator[tuple]:
        """Batches for about the time that there is; how long each took, with the step, is appended to a list."""
        batches, began = without_end(self.loader), time.perf_counter()
        while len(took) < max(2, accumulate) or (len(took) < 50 and time.perf_counter() - began < self.seconds):
            at = time.perf_counter()
            yield (*next(batches), (len(took) + 1) % accumulate == 0)
            took.append(time.perf_counter() - at)

    def _diverged(self, probe: Trainer, batches: Any, about: dict[str, Any]) -> Found | None:
        """What to say if a loss is not finite on the way through these batches; None if all are."""
        recent, number = RecentSteps(), 0
        try:
            for inputs, targets, last in batches:
                number += 1
                recent.step(probe, inputs, targets, last)
            if are_finite(probe.model):
                return None
            raise DivergedError(message(probe))
        except DivergedError as error:
            recent.explain(probe, error)
            about |= {"step": number, "origin": error.origin}
            return Found("failed", "diverged" if error.origin else "diverged_unknown", about)

    def _by_heart(self) -> Found:
        few = min(EXAMPLES, len(self.inputs))
        if self._each * few / len(self.inputs) * ENOUGH > 5 * self.seconds:
            return Found("skipped", "slow", {"each": Duration(self._each)})
        tried: list[list[float]] = []
        for rate in RATES:
            with self._as_it_was():
                tried.append(self._learnt(self.inputs[:few], self.targets[:few], rate))
            if tried[-1][0] <= 0:
                return Found("skipped", "share", {"first": tried[-1][0]})
            if min(tried[-1]) <= BY_HEART * tried[-1][0]:
                break
        best = min(tried, key=lambda losses: min(losses) / losses[0])
        first, lowest, steps = best[0], min(best), len(best)
        about = {"examples": few, "first": first, "lowest": lowest, "steps": steps}
        if lowest <= BY_HEART * first:
            return Found("passed", "fine", about)
        if steps < ENOUGH:
            return Found("skipped", "slow", {"each": Duration(self._each)})
        if lowest > UNMOVED * first:
            return Found("failed", "unmoved", about)
        before = min(best[: -steps // 4])
        return Found("passed", "falling", about) if lowest < STILL * before else Found("warning", "partly", about)

    def _learnt(self, inputs: Any, targets: Any, rate: float) -> list[float]:
        """The losses of the same examples again and again, as long as there is time and they are not learnt."""
        trainer = self.trainer
        optimizer = Adam([p for p in trainer.model.parameters() if p.requires_grad], lr=rate)
        options: dict[str, Any] = {"generator": trainer.generator, "engine": trainer.engine, "watch": False}
        learner = Trainer(trainer.model, trainer.loss, optimizer, metrics=no_metrics, clip_grad_norm=1.0, **options)
        losses: list[float] = []
        end = time.perf_counter() + self.seconds
        while not losses or (len(losses) < 1000 and losses[-1] > BY_HEART * losses[0]):
            if time.perf_counter() > end + (4 * self.seconds if len(losses) < ENOUGH else 0):
                break
            try:
                losses.append(learner.step(inputs, targets))
            except DivergedError:
                break
        return losses or [1.0]

    def _rate(self) -> Found:
        steps = int(2 * self.seconds / self._each / self.trainer.accumulate)
        if steps < SWEEP[0]:
            return Found("skipped", "slow", {"each": Duration(self._each)})
        now = self.trainer.learning_rate
        found = find_learning_rate(self.trainer, self.loader, steps=min(steps, SWEEP[1]))
        if found.suggestion is None:
            return Found("skipped", "nowhere", {"lr": now})
        lowest = float(found.rates[found.smoothed.argmin()])
        about = {"lr": now, "lowest": lowest, "suggestion": found.suggestion}
        if TOO_LOW * lowest <= now <= TOO_HIGH * lowest:
            return Found("passed", "fine", about)
        return Found("warning", "high" if now > lowest else "low", about)


class _Shapes(Observer):
    """Notes the shapes of what each module gives at its first call, and the innermost module that raises an error."""

    def __init__(self, model: Any):
        super().__init__()
        self._names = {module: name for name, module in model.named_modules()}
        self.rows: list[tuple[str, str, tuple]] = []
        self.failed: tuple[str, str, tuple] | None = None
        self.last: tuple = ()  # of what was given last

    def run_module(self, module: Any, arguments: Sequence, options: dict) -> Any:
        path, kind = self._names.get(module), type(module).__name__  # no path for a loss, which is a module too
        try:
            output = super().run_module(module, arguments, options)
        except Exception:
            if self.failed is None and path is not None:
                self.failed = path, kind, _shapes_in((arguments, options))
            raise
        self.last = _shapes_in(output)
        if path is not None and all(path != other for other, *_ in self.rows):
            self.rows.append((path, kind, self.last))
        return output


def _shapes_in(tree: Any) -> tuple:
    return tuple(leaf.shape for leaf in flatten(tree)[0] if isinstance(leaf, Tensor))


def _written(shapes: tuple) -> str:
    return ", ".join(map(str, shapes)) or "-"


def _constant_loss(loss: Callable, output: Any, targets: Any) -> float | None:
    """The loss of the best answer that does not depend on the input, of those that can be tried; None if there is none.

    These are zeros, which give ln K for K classes, the mean of the targets, which gives their variance, and equal
    probabilities, as numbers or logarithms where the network gives such.
    """
    if not isinstance(output, Tensor) or output.dtype.kind != "f" or not output.ndim:
        return None
    classes = output.shape[-1]
    numbers = output.numpy().astype("float64")
    if classes > 1 and numpy.allclose(numbers.sum(axis=-1), 1, atol=1e-3) and (numbers >= 0).all():
        answers = [ops.full_like(output, 1 / classes)]
    elif classes > 1 and numpy.allclose(numpy.exp(numbers).sum(axis=-1), 1, atol=1e-3):
        answers = [ops.full_like(output, -math.log(classes))]
    else:
        answers = [ops.zeros_like(output)]
    if targets.dtype.kind == "f" and targets.size == output.size:
        mean = raw(targets).reshape(output.shape).mean(axis=0)
        answers.append(asarray(numpy.broadcast_to(mean, output.shape), dtype=output.dtype, copy=True))
    try:
        losses = [loss(answer, targets).item() for answer in answers]
    except Exception:  # a loss of the user's that asks for more than numbers of this shape
        return None
    found = min([value for value in losses if math.isfinite(value)], default=0.0)
    return found if found > 0 else None


class Reason(NamedTuple):
    """Why something was not checked. Arguments: ``name``, of its text in the catalogue; ``about``, which it quotes."""

    name: str
    about: str

    def text(self, language: str) -> str:
        """The reason in words."""
        return say(f"preflight.reason.{self.name}", language, about=self.about)


class Duration(float):
    """A number of seconds."""

    def text(self, language: str) -> str:
        """It in the unit that fits."""
        for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1)):
            if self >= (1 if unit == "seconds" else 2 * size):
                return say(f"preflight.unit.{unit}", language, count=f"{self / size:.3g}")
        return say("preflight.unit.milliseconds", language, count=f"{self * 1000:.3g}")


class Bytes(float):
    """A number of bytes."""

    def text(self, language: str) -> str:
        """It in the unit that fits."""
        return rounded(self)
