"""A progress bar with the loss, the measures and the time left; a line for each epoch where there is no terminal."""

import statistics
import time
from datetime import timedelta
from typing import Any

from .callbacks import Callback

__all__ = ["Progress"]


def describe(row: dict[str, Any]) -> str:
    """An epoch's loss and measures in words, training first."""
    shown = []
    for part, label in (("train_", "train"), ("val_", "validation"), ("test_", "test")):
        words = [f"loss {row[f'{part}loss']:.4f}"] if f"{part}loss" in row else []
        for measure, name in (("accuracy", "accuracy"), ("exact", "exact match")):
            if part + measure in row:
                words.append(f"{name} {row[part + measure]:.2%}")
        if words:
            shown.append(f"{label} {', '.join(words)}")
    return " · ".join(shown)


class Progress(Callback):
    """Shows how training goes: a bar on a terminal; elsewhere (a file, a pipe, a notebook) a line for each epoch.

    Arguments: ``console``, Rich's console to draw on; by default the standard error's.
    """

    def __init__(self, console=None):
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self.bar: Any = None

    def on_fit_start(self, trainer, epochs):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.epochs, self.began = epochs, time.perf_counter()
        self.durations: list[float] = []  # of the epochs; a first one in which kernels are compiled says little
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            return
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        total = epochs * len(trainer.loader)
        self.task = self.bar.add_task("", total=total, completed=trainer.batches, epoch=trainer.epoch, words="")
        self.bar.start()

    def on_note(self, trainer, line):
        if self.bar:
            self.bar.console.print(line, style="dim", markup=False, highlight=False)
        else:
            self._print(line)

    def on_epoch_start(self, trainer, epoch):
        if self.bar:
            self.bar.update(self.task, epoch=epoch)

    def on_batch_end(self, trainer, loss):
        if self.bar:
            self.bar.update(self.task, advance=1, words=f"loss {loss:.4f}")

    def on_epoch_end(self, trainer, row):
        epoch, words = row["epoch"], describe(row)
        if self.bar:
            self.bar.console.print(f"epoch {epoch:>3}  {words}", highlight=False)
            return
        now = time.perf_counter()
        self.durations.append(now - self.began)
        self.began = now
        left = timedelta(seconds=round((self.epochs - epoch) * statistics.median(self.durations)))
        line = f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}  {words} · rate {row['lr']:.3g}"
        self._print(f"{line} · {left} left" if epoch < self.epochs else line)

    def _print(self, line):
        """Print plain text at once, so that it can be followed in a file."""
        print(line, file=self.console.file, flush=True)

    def close(self):
        """Remove the bar from the terminal."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def on_fit_end(self, trainer, history):
        self.close()
