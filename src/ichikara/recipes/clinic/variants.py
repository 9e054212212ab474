"""Healthy trainings other than the subjects: other data, networks, optimisers and sizes, in which nothing is wrong."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

__all__ = ["TEXT", "variants"]

TEXT = Path(__file__).with_name("coriolanus.txt")
"""The first 60,000 characters of Tiny Shakespeare."""

Table = dict[str, Any]

HELD_OUT = {"validation": 0.2, "test": 0.2}
MINMAX, STANDARD, BY_FEATURE = (
    {"name": "minmax", "per": "all"},
    {"name": "standard", "per": "all"},
    {"name": "standard", "per": "feature"},
)

OPTIMIZERS: dict[str, Table] = {
    "sgd": {"name": "SGD", "lr": 0.1},
    "momentum": {"name": "SGD", "lr": 0.03, "momentum": 0.9},
    "nesterov": {"name": "SGD", "lr": 0.03, "momentum": 0.9, "nesterov": True},
    "adam": {"name": "Adam", "lr": 0.003},
    "adamw": {"name": "AdamW", "lr": 0.003, "weight_decay": 0.05},
    "rmsprop": {"name": "RMSprop", "lr": 0.002},
    "adagrad": {"name": "Adagrad", "lr": 0.03},
}


ONE_CYCLE = {"name": "OneCycleLR", "every": "batch", "max_lr": 0.01, "total_steps": 680}

NORMALISATIONS: dict[str, Table] = {
    "batch": {"type": "BatchNorm1d"},
    "layer": {"type": "LayerNorm", "normalized_shape": 64},
}


def variants() -> dict[str, Table]:
    """The recipes by their names."""
    made = [*_digits(), *_planes(), *_curves(), *_tables(), *_images(), *_sequences(), *_texts()]
    names = [name for name, _ in made]
    assert len(set(names)) == len(names), "two variants have one name"
    return dict(made)


def _recipe(data: Table, model: Table, optimizer: Table, epochs: int, batch_size: int, **others: Any) -> Table:
    training = {"epochs": epochs, "batch_size": batch_size, **others.pop("training", {})}
    text = data["name"] == "text"
    split = {} if text else {"split": HELD_OUT}
    return {"data": data, **split, "model": model, "optimizer": optimizer, "training": training, **others}


def _digits() -> Iterator[tuple[str, Table]]:
    """Digits by fully connected networks: every shape with every optimiser, other things in turn."""
    data = {"name": "digits"}
    shapes: Sequence[Sequence[int]] = ([32], [128], [64, 64], [48, 48, 48])
    others = zip(
        cycle(["relu", "tanh", "gelu", "leaky_relu", "elu", "silu", "softplus"]),
        cycle([MINMAX, STANDARD]),
        cycle([32, 64, 16]),
        cycle([0.0, 0.1, 0.0, 0.0, 0.3]),
        strict=False,
    )
    for name, optimizer in OPTIMIZERS.items():
        for hidden in shapes:
            activation, scale, batch, dropout = next(others)
            model = {"name": "mlp", "hidden": hidden, "activation": activation, "dropout": dropout}
            label = f"digits-{name}-{'-'.join(map(str, hidden))}-{activation}"
            yield label, _recipe(data, model, optimizer, 30 * batch // 32, batch, scale=scale)

    plain = {"name": "mlp", "hidden": [64]}
    fast: Table = {"name": "Adam", "lr": 0.01}
    adam, sgd, momentum = (
        OPTIMIZERS["adam"],
        OPTIMIZERS["sgd"],
        OPTIMIZERS["momentum"],
    )
    normed = {kind: {"name": "sequential", "layers": _normed(layer)} for kind, layer in NORMALISATIONS.items()}
    single: dict[str, tuple[Table, Table, Table]] = {
        "cosine": (plain, fast, {"schedule": {"name": "CosineAnnealingLR", "T_max": 20}}),
        "step": (plain, fast, {"schedule": {"name": "StepLR", "step_size": 8, "gamma": 0.3}}),
        "exponential": (plain, fast, {"schedule": {"name": "ExponentialLR", "gamma": 0.85}}),
        "one-cycle": (plain, adam, {"schedule": ONE_CYCLE}),
        "xavier": (plain, sgd, {"initialisation": {"name": "xavier_uniform"}}),
        "he": (plain, sgd, {"initialisation": {"name": "he"}}),
        "orthogonal": (plain, sgd, {"initialisation": {"name": "orthogonal"}}),
        "bce": (plain, adam, {"loss": {"name": "bce"}}),
        "mse": (plain, adam, {"loss": {"name": "mse"}}),
        "smoothed": (plain, adam, {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}}),
        "raw": (plain, adam, {"scale": {"name": "none"}}),
        "linear": ({"name": "mlp", "hidden": []}, adam, {}),
        "sigmoid": ({**plain, "activation": "sigmoid"}, adam, {"scale": STANDARD}),
        "batch-norm": (normed["batch"], momentum, {"scale": STANDARD}),
        "layer-norm": (normed["layer"], OPTIMIZERS["adamw"], {"scale": STANDARD}),
    }
    for name, (model, optimizer, changes) in single.items():
        yield f"digits-{name}", _recipe(data, model, optimizer, 20, 32, **{"scale": MINMAX, **changes})


def _normed(layer: Table) -> list[Table]:
    """The layers of a network with a normalisation after each hidden one."""
    hidden = [{"type": "Linear", "out_features": 64}, layer, {"type": "ReLU"}]
    return [*hidden, *hidden, {"type": "Linear"}]


def _planes() -> Iterator[tuple[str, Table]]:
    """Points in the plane, which small networks separate."""
    sets: dict[str, Table] = {
        "moons": {"name": "moons", "n_samples": 1000, "noise": 0.15},
        "circles": {"name": "circles", "n_samples": 800, "noise": 0.08},
        "spirals": {"name": "spirals", "n_samples": 900},
        "xor": {"name": "xor", "n_samples": 600, "noise": 0.15},
        "blobs": {"name": "blobs", "n_samples": 600, "centers": 4},
    }
    nets: dict[str, tuple[Table, Table, int]] = {
        "tanh": ({"name": "mlp", "hidden": [16, 16], "activation": "tanh"}, {"name": "Adam", "lr": 0.02}, 32),
        "relu": ({"name": "mlp", "hidden": [32, 32]}, {"name": "SGD", "lr": 0.1, "momentum": 0.9}, 32),
        "gelu": ({"name": "mlp", "hidden": [32], "activation": "gelu"}, {"name": "AdamW", "lr": 0.02}, 64),
    }
    for name, data in sets.items():
        for kind, (model, optimizer, batch) in nets.items():
            yield f"{name}-{kind}", _recipe(data, model, optimizer, 30, batch, scale=BY_FEATURE)
    for name in ("moons", "circles", "xor"):
        one = {"name": "mlp", "hidden": [16], "activation": "tanh"}
        yield (
            f"{name}-bce",
            _recipe(sets[name], one, {"name": "Adam", "lr": 0.03}, 30, 32, loss={"name": "bce"}, scale=BY_FEATURE),
        )


def _curves() -> Iterator[tuple[str, Table]]:
    """Functions of one and of two numbers."""
    curve, surface = {"name": "curve", "n_samples": 600}, {"name": "surface", "n_samples": 1200}
    noisy = {"name": "curve", "n_samples": 1000, "noise": 0.1}
    cubic = {"name": "cubic", "n_samples": 400, "noise": 0.2}
    tanh, relu = {"name": "mlp", "hidden": [32, 32], "activation": "tanh"}, {"name": "mlp", "hidden": [64, 64]}
    adam = {"name": "Adam", "lr": 0.01}
    momentum = {"name": "SGD", "lr": 0.02, "momentum": 0.9}
    for name, data in {"curve": curve, "surface": surface, "noisy": noisy, "cubic": cubic}.items():
        for loss in ("mse", "l1", "huber"):
            model = relu if loss == "huber" else tanh
            yield f"{name}-{loss}", _recipe(data, model, adam, 40, 32, loss={"name": loss}, scale=BY_FEATURE)
        yield f"{name}-momentum", _recipe(data, tanh, momentum, 40, 32, loss={"name": "mse"}, scale=BY_FEATURE)
    yield (
        "cubic-polynomial",
        _recipe(cubic, {"name": "polynomial", "degree": 3}, {"name": "Adam", "lr": 0.05}, 60, 32, loss={"name": "mse"}),
    )


def _tables() -> Iterator[tuple[str, Table]]:
    """Tables of scikit-learn."""
    optimizers: dict[str, Table] = {
        "momentum": {"name": "SGD", "lr": 0.01, "momentum": 0.9},
        "adam": {"name": "Adam", "lr": 0.005},
        "adamw": {"name": "AdamW", "lr": 0.01},
    }
    for name, epochs in {"iris": 60, "wine": 20, "breast_cancer": 8, "diabetes": 12}.items():
        for (label, optimizer), hidden, activation in zip(
            optimizers.items(), ([16], [16, 16], [8]), ("relu", "tanh", "silu"), strict=True
        ):
            loss = {"loss": {"name": "mse"}} if name == "diabetes" else {}
            model = {"name": "mlp", "hidden": hidden, "activation": activation}
            yield f"{name}-{label}", _recipe({"name": name}, model, optimizer, epochs, 16, scale=BY_FEATURE, **loss)


def _images() -> Iterator[tuple[str, Table]]:
    """Digits as images."""
    data = {"name": "digits", "as_images": True}
    lenet = {"name": "lenet", "filters": [8, 16], "hidden": 32}
    nets: dict[str, tuple[Table, Table]] = {
        "lenet": (lenet, OPTIMIZERS["adam"]),
        "lenet-momentum": ({**lenet, "dropout": 0.0}, OPTIMIZERS["momentum"]),
        "lenet-batch-norm": ({**lenet, "batch_norm": True}, OPTIMIZERS["adamw"]),
        "resnet-adam": ({"name": "resnet", "widths": [8, 16], "blocks": 1}, OPTIMIZERS["adam"]),
        "resnet-sgd": ({"name": "resnet", "widths": [8, 16], "blocks": 1}, OPTIMIZERS["sgd"]),
        "resnet-deep": ({"name": "resnet", "widths": [8], "blocks": 4, "pool": True}, OPTIMIZERS["adamw"]),
        "resnet-dropout": ({"name": "resnet", "widths": [8, 16], "blocks": 1, "dropout": 0.2}, OPTIMIZERS["momentum"]),
    }
    for (name, (model, optimizer)), batch in zip(nets.items(), cycle([32, 16, 64]), strict=False):
        yield f"images-{name}", _recipe(data, model, optimizer, 12 * batch // 32, batch, scale=STANDARD)


def _sequences() -> Iterator[tuple[str, Table]]:
    """The adding problem, and sequences to be turned round."""
    for cell, length, epochs in (("lstm", 10, 12), ("gru", 10, 10), ("gru", 25, 10), ("rnn", 8, 30)):
        data = {"name": "adding", "n_samples": 3000, "length": length}
        model = {"name": "sequence-reader", "cell": cell, "hidden": 32}
        clip = {"clip_grad_norm": 1.0}
        yield (
            f"adding-{cell}-{length}",
            _recipe(data, model, {"name": "Adam", "lr": 0.01}, epochs, 64, loss={"name": "mse"}, training=clip),
        )
    data = {"name": "reverse", "n_samples": 2000, "length": 5, "symbols": 6}
    model = {"name": "seq2seq", "width": 32, "layers": 1, "heads": 2}
    yield "reverse-seq2seq", _recipe(data, model, {"name": "Adam", "lr": 0.003}, 10, 64)


def _texts() -> Iterator[tuple[str, Table]]:
    """Models of the text's characters."""
    data = {"name": "text", "path": str(TEXT), "validation": 0.2}
    gpt = {"name": "gpt", "width": 32, "layers": 2, "heads": 4}
    rnn = {"name": "char-rnn", "embedding": 16, "hidden": 64}
    nets: dict[str, tuple[Table, Table]] = {
        "gpt-adam": (gpt, {"name": "Adam", "lr": 0.003}),
        "gpt-wide": ({**gpt, "width": 64, "layers": 1}, {"name": "AdamW", "lr": 0.003}),
        "gpt-dropout": ({**gpt, "dropout": 0.1}, {"name": "AdamW", "lr": 0.005}),
        "lstm": ({**rnn, "cell": "lstm"}, {"name": "Adam", "lr": 0.005}),
        "gru": ({**rnn, "cell": "gru"}, {"name": "Adam", "lr": 0.005}),
        "rnn": ({**rnn, "cell": "rnn"}, {"name": "RMSprop", "lr": 0.002}),
    }
    for name, (model, optimizer) in nets.items():
        training = {"context": 24, "batches": 50, "clip_grad_norm": 1.0}
        yield f"text-{name}", _recipe(data, model, optimizer, 5, 16, training=training)
