"""Rules about the evaluation: whether it is of the network at hand, always the same, and without a look ahead."""

import numpy

from ...arrays import Generator, using
from ...autodiff import asarray, no_grad
from ..structure import copy_of
from .rule import SYMPTOMS, Unjudged, certain, rule

__all__ = ["evaluated"]

DIFFERENT = 0.25
"""The part of the larger of two losses by which they must differ, beyond what other rows of the data explain."""

ERRORS = 5.0
"""How many standard errors other rows of the data explain."""


@rule("random_evaluation", lesson="more-data", needs=("model", "batch"),
      explains=("no_gradient", "future", "reported_loss", *SYMPTOMS))  # fmt: skip
def random_evaluation(case):
    """In evaluation mode the same inputs give different outputs: dropout, or other noise, stays on; or weights that are
    no parameters are drawn again, which get no gradient then."""
    outputs = evaluated(case, [case.batch[0]] * 2)
    if outputs is None:
        raise Unjudged("no_step")
    difference = float(numpy.abs(outputs[0] - outputs[1]).max())
    size = float(numpy.abs(outputs[0]).max())
    return certain(difference=difference, size=size) if difference > 1e-3 * size else None


@rule("reported_loss", lesson="overfitting", needs=("history", "validation", "model", "loss"),
      explains=("overfitting",))  # fmt: skip
def reported_loss(case):
    """The validation loss that was reported is not that of the network at hand, nor was it in any epoch."""
    reported = case.column("val_loss")
    if not len(reported):
        raise Unjudged("no_evaluation")
    if case.judged is None:
        raise Unjudged("no_step")
    mean, error = case.judged
    least = numpy.abs(reported - mean) - ERRORS * error - DIFFERENT * numpy.maximum(numpy.abs(reported), abs(mean))
    if not numpy.isfinite(reported).all() or not (least > 0).all():
        return None
    return certain(reported=float(reported[-1]), again=mean)


@rule("future", lesson="attention", needs=("model", "batch"), explains=("overfitting",))
def future(case):
    """A model that predicts the next symbol of a text has a look at the symbols after it."""
    if case.task != "text":
        return None
    inputs = numpy.array(case.batch[0])
    length = inputs.shape[1]
    if length < 2:
        return None
    changed = inputs.copy()
    changed[:, length // 2 :] = numpy.roll(changed[:, length // 2 :], 1, axis=0)
    outputs = evaluated(case, [inputs, changed])
    if outputs is None:
        raise Unjudged("no_step")
    before = [numpy.asarray(output)[:, : length // 2] for output in outputs]
    difference = float(numpy.abs(before[0] - before[1]).max())
    if difference <= 1e-3 * float(numpy.abs(before[0]).max()):
        return None
    return certain(position=length // 2, difference=difference)


def evaluated(case, batches):
    """What a copy of the model gives for inputs in evaluation mode, each time with other random numbers."""
    try:
        model = copy_of(case.model).eval()
        with no_grad(), numpy.errstate(all="ignore"):
            outputs = []
            for seed, inputs in enumerate(batches):
                with using(Generator(seed)):
                    outputs.append(model(asarray(inputs)).numpy())
            return outputs
    except Exception:  # a model that is called otherwise
        return None
