"""All workloads by their names."""

from . import a_mlp, b_mlp, c_convolution, d_resnet, e_lstm, f_gpt, g_dcgan, h_gru, i_inference
from .common import Workload

WORKLOADS: list[Workload] = [
    a_mlp.WORKLOAD,
    b_mlp.WORKLOAD,
    c_convolution.WORKLOAD,
    d_resnet.WORKLOAD,
    e_lstm.WORKLOAD,
    f_gpt.WORKLOAD,
    g_dcgan.WORKLOAD,
    h_gru.WORKLOAD,
    *i_inference.WORKLOADS,
]
LETTERS = "ABCDEFGHI"

# What the picture shows: B with one of its sizes changed. The size is the key.
SWEEPS: dict[str, dict[int, Workload]] = {
    "batch": {size: b_mlp.workload(batch=size) for size in (1, 8, 32, 128, 512)},
    "width": {size: b_mlp.workload(width=size) for size in (32, 64, 128, 256, 512, 1024)},
}


def named(name: str) -> Workload:
    """The workload of a name, those of the picture included."""
    sweeps = [workload for points in SWEEPS.values() for workload in points.values()]
    return next(workload for workload in [*WORKLOADS, *sweeps] if workload.name == name)
