"""Text and images from a trained network: a continued text, a sheet of generated images."""

import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy

from ..arrays import Generator
from ..autodiff import no_grad
from ..checks import number
from ..data import CharVocabulary
from ..errors import UserError
from ..plot import sheet
from ..train import judge, predict
from ..train.checkpoint import write
from .folder import trained, writing

__all__ = ["generate_text", "sample_images", "sample_run", "write_on"]


def write_on(
    model,
    prompt: numpy.ndarray,
    count: int,
    generator: Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
) -> Iterator[int]:
    r"""Continue a sequence of symbols: draw the next one from the network's output, append it, and repeat.

    .. math:: P(x) \propto e^{u_x / T} \text{ for the } k \text{ largest } u_x

    Shapes: (n,) of whole numbers -> whole numbers, one at a time.

    Arguments: ``model``, with ``next_of``; ``prompt``, at least one symbol; ``count``, how many new symbols;
    ``temperature``, T: below 1 likely symbols become likelier, at 0 the likeliest is taken; ``top_k``, how
    many symbols to draw from, None for all.
    """
    model.eval()
    inputs, state = prompt[None].astype("int64"), None
    with no_grad(), numpy.errstate(all="ignore"):
        for _ in range(count):
            scores, state = model.next_of(inputs, state)
            chosen = _draw(scores.numpy()[0].astype("float64"), generator, temperature, top_k)
            yield chosen
            # A recurrent network keeps the past in its state. Any other network gets the whole sequence again.
            inputs = numpy.array([[chosen]]) if state is not None else numpy.append(inputs, [[chosen]], axis=1)


def _draw(scores, generator, temperature, top_k):
    _check_finite(scores)
    if top_k is not None:
        scores = numpy.where(scores < numpy.sort(scores)[-min(top_k, len(scores))], -numpy.inf, scores)
    if temperature == 0:
        return int(scores.argmax())
    weights = numpy.exp((scores - scores.max()) / temperature)
    return int(generator.choice(len(scores), probabilities=weights / weights.sum()))


def generate_text(
    folder: str | Path,
    prompt: str | None,
    count: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """The characters by which a run's network continues a prompt, one at a time.

    Without a prompt it continues a line break, or the first character that it knows where the text had none; that is
    then the first character given.

    Raises UserError for a run that was not trained on a text, an empty prompt, and an unknown character.
    """
    _, model, _, about = trained(Path(folder))
    if about["task"] != "text":
        raise UserError(
            f"{folder} was not trained on a text ({about['data']} is a {about['task']}), so it cannot write one"
        )
    if prompt == "":
        raise UserError("the prompt is empty; give at least one character to start from, such as --prompt 'The '")
    temperature = number("temperature", temperature, at_least=0)
    if top_k is not None and top_k < 1:
        raise UserError(f"top-k is a number of characters, at least 1, not {top_k}")
    vocabulary = CharVocabulary(about["classes"])
    first = "" if prompt is not None else "\n" if "\n" in vocabulary.characters else vocabulary.characters[0]
    symbols = write_on(model, vocabulary.encode(prompt or first), count, Generator(seed), temperature, top_k)
    return chain(first, (vocabulary.characters[symbol] for symbol in symbols))


def sample_images(folder: str | Path, count: int, seed: int = 0) -> numpy.ndarray:
    """Images that a run's generator makes from noise. Shapes: -> (count, channels, height, width), from 0 to 1.

    Raises UserError for a run that has trained no GAN.
    """
    _, model, _, _ = trained(Path(folder))
    model_: Any = model
    if not hasattr(model, "sample"):
        raise UserError(f"{folder} has trained no GAN; digits-gan and mnist-dcgan are recipes that do")
    if count < 1:
        raise UserError(f"a sheet has at least one sample, not {count}")
    images = model_.sample(count, Generator(seed))
    _check_finite(images)
    return images


def _check_finite(outputs: numpy.ndarray) -> None:
    """Raise for outputs of a network whose weights are so large that they are not finite."""
    if not numpy.isfinite(outputs).all():
        raise UserError("the network's output is not finite, since its weights are too large; train it again")


def sample_run(folder: str | Path, count: int, seed: int = 0, judge_folder: str | Path | None = None) -> dict[str, Any]:
    """Write a sheet of generated images into the run's folder.

    With ``judge_folder``, the folder of another run, that run's classifier evaluates the images; see `judge`.
    """
    images = sample_images(folder, count, seed)
    path = Path(folder) / "samples.png"
    picture = io.BytesIO()
    sheet(images).savefig(picture, format="png", dpi=144)
    with writing(Path(folder), "ichikara sample"):
        write(path, picture.getvalue())
    result: dict[str, Any] = {"run": str(folder), "samples": count, "sheet": str(path)}
    if judge_folder is not None:
        _, model, scaler, about = trained(Path(judge_folder))
        if tuple(about["shape"]) != images.shape[1:]:
            raise UserError(
                f"{judge_folder} was trained on examples of shape {tuple(about['shape'])}, not {images.shape[1:]}"
            )
        low, high = about["value_range"]
        inputs = (low + images * (high - low)).astype("float32")
        result |= judge(inputs if scaler is None else scaler.transform(inputs), lambda x: predict(model, x))
    return result
