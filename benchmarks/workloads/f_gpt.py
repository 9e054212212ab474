"""F: a small GPT, four blocks of causal attention on texts of 128 characters."""

from typing import Any

from . import cost
from .common import Workload, classification, labels, weight

BATCH, TIME, VOCABULARY, WIDTH, LAYERS, HEADS = 16, 128, 65, 128, 4, 4


def ichikara_attention(x, qkv):
    """Three layers in one, cut after the product as `nn.MultiheadAttention` does. Shapes: (n, t, width) -> the same."""
    from ichikara import ops
    from ichikara.ops.attention import self_attention

    n, t, _ = x.shape
    parts = ops.permute_dims(ops.reshape(qkv(x), (n, t, 3, HEADS, WIDTH // HEADS)), (2, 0, 3, 1, 4))
    y = self_attention(parts, is_causal=True, scale=(WIDTH // HEADS) ** -0.5)
    return ops.reshape(ops.permute_dims(y, (0, 2, 1, 3)), (n, t, WIDTH))


def torch_attention(x, qkv):
    """Three layers in one, cut after the product as nanoGPT does. Shapes: (n, t, width) -> the same."""
    from torch.nn.functional import scaled_dot_product_attention

    n, t, _ = x.shape
    q, k, v = qkv(x).view(n, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
    return scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, WIDTH)


def model(nn: Any):
    """The network in ichikara's or PyTorch's layers; scores of all places as rows."""
    attention = {"ichikara.nn": ichikara_attention, "torch.nn": torch_attention}[nn.__name__]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1 = nn.LayerNorm(WIDTH)
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
            self.proj = nn.Linear(WIDTH, WIDTH)
            self.norm2 = nn.LayerNorm(WIDTH)
            self.mlp = nn.Sequential(
                nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(approximate="tanh"), nn.Linear(4 * WIDTH, WIDTH)
            )

        def forward(self, x):
            x = x + self.proj(attention(self.norm1(x), self.qkv))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.characters = nn.Embedding(VOCABULARY, WIDTH)
            self.places = nn.Embedding(TIME, WIDTH)
            self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, VOCABULARY)

        def forward(self, x):
            h = self.characters(x) + self.places.weight[: x.shape[1]]
            return self.head(self.norm(self.blocks(h))).reshape(-1, VOCABULARY)

    return GPT()


def data(batch=BATCH) -> tuple[Any, Any]:
    """Texts, and what comes next at each place as one row."""
    return labels(VOCABULARY, batch, TIME), labels(VOCABULARY, batch * TIME)


def layers(batch=BATCH):
    """What is counted; the table of characters is looked up, and costs nothing to speak of."""
    rows = batch * TIME
    block = [
        cost.linear(rows, WIDTH, 3 * WIDTH),
        cost.attention(batch, TIME, WIDTH),
        cost.linear(rows, WIDTH, WIDTH),
        cost.linear(rows, WIDTH, 4 * WIDTH),
        cost.linear(rows, 4 * WIDTH, WIDTH),
    ]
    # An empty layer first: the first block's input comes of a table with weights, so it has a gradient as all others.
    return [cost.Layer(0, 0, 0, 0), *(block * LAYERS), cost.linear(rows, WIDTH, VOCABULARY)]


def jax_parameters():
    """Weights and biases by their names."""
    ones, zeros = (lambda n: weight(n) * 0 + 1), (lambda n: weight(n) * 0)
    norm = lambda: (ones(WIDTH), zeros(WIDTH))
    linear = lambda inputs, outputs: (weight(inputs, outputs), zeros(outputs))
    block = lambda: {
        "norm1": norm(),
        "qkv": linear(WIDTH, 3 * WIDTH),
        "proj": linear(WIDTH, WIDTH),
        "norm2": norm(),
        "up": linear(WIDTH, 4 * WIDTH),
        "down": linear(4 * WIDTH, WIDTH),
    }
    return {
        "characters": weight(VOCABULARY, WIDTH),
        "places": weight(TIME, WIDTH),
        "blocks": [block() for _ in range(LAYERS)],
        "norm": norm(),
        "head": linear(WIDTH, VOCABULARY),
    }


def jax_forward(parameters, x):
    """The network; scores of all places as rows."""
    import jax
    import jax.numpy as jnp

    def norm(x, p):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * p[0] + p[1]

    linear = lambda x, p: x @ p[0] + p[1]
    n, t = x.shape
    past = jnp.tril(jnp.ones((t, t), bool))

    def attention(x, p):
        q, k, v = jnp.moveaxis(linear(x, p).reshape(n, t, 3, HEADS, WIDTH // HEADS), 2, 0)
        scores = jnp.einsum("bthd,bshd->bhts", q, k) / (WIDTH // HEADS) ** 0.5
        weights = jax.nn.softmax(jnp.where(past, scores, -1e9), -1)
        return jnp.einsum("bhts,bshd->bthd", weights, v).reshape(n, t, WIDTH)

    h = parameters["characters"][x] + parameters["places"][:t]
    for p in parameters["blocks"]:
        h = h + linear(attention(norm(h, p["norm1"]), p["qkv"]), p["proj"])
        h = h + linear(jax.nn.gelu(linear(norm(h, p["norm2"]), p["up"]), approximate=True), p["down"])
    return linear(norm(h, parameters["norm"]), parameters["head"]).reshape(-1, VOCABULARY)


WORKLOAD = Workload(
    "F",
    "GPT width 128, 4 layers, 128 characters, batch 16",
    model,
    classification(model, data, jax_forward, jax_parameters),
    cost.training(layers()),
)
