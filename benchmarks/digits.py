"""The recipe `digits` where nothing has been compiled yet: the seconds until its first step and its first epoch end.

python -m benchmarks.digits      # a line of JSON
"""

import json
import os
import tempfile
import time

from .measure import figures_of


def measure(threads: int) -> dict[str, float]:
    """The seconds with so many threads, from a process of its own."""
    return figures_of("digits", threads)


def begin_training() -> dict[str, float]:
    """Train for an epoch; the seconds from the first batch on."""
    from ichikara.recipes import build, load_recipe
    from ichikara.train import Callback

    ends: dict[str, float] = {}

    class Watch(Callback):
        def on_batch_end(self, trainer, loss):
            ends.setdefault("step_s", time.perf_counter() - begin)

    parts = build(load_recipe("digits"))
    parts.trainer.callbacks.append(Watch())
    begin = time.perf_counter()
    parts.trainer.fit(parts.loader, 1, parts.validation)
    return {**ends, "epoch_s": time.perf_counter() - begin}


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NUMBA_CACHE_DIR"] = cache
        print(json.dumps(begin_training()))


if __name__ == "__main__":
    main()
