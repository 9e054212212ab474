"""Train the recipes and write what they reached into docs/results.md.

    python -m benchmarks.results --runs runs                    # every recipe that has no finished run there
    python -m benchmarks.results --runs runs digits mnist-mlp   # these
    python -m benchmarks.results --runs runs --table            # train nothing, write the table of what is there

A run that was interrupted is taken up where it stopped. The table holds figures of finished runs only.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from ichikara.recipes import sample_run

TABLE = Path(__file__).parent.parent / "docs" / "results.md"

# What each recipe must reach: the measure in run.json, the bound, and whether more or less is better.
GOALS = {
    "digits": ("val_accuracy", 0.97, "≥"),
    "xor": ("train_accuracy", 1.0, "≥"),
    "moons": ("val_accuracy", 0.97, "≥"),
    "perceptron": ("val_accuracy", 0.99, "≥"),
    "two-layer": ("val_accuracy", 0.97, "≥"),
    "universal": ("val_loss", 0.001, "≤"),
    "polynomial": ("val_loss", None, ""),
    "mnist-mlp": ("val_accuracy", 0.983, "≥"),
    "mnist-lenet": ("val_accuracy", 0.992, "≥"),
    "mnist-resnet": ("val_accuracy", 0.996, "≥"),
    "digits-resnet": ("val_accuracy", 0.985, "≥"),
    "digits-gan": ("train_spread", None, ""),
    "mnist-dcgan": ("train_spread", None, ""),
    "adding-rnn": ("val_loss", None, ""),
    "adding-lstm": ("val_loss", 0.01, "≤"),
    "adding-gru": ("val_loss", 0.01, "≤"),
    "shakespeare-lstm": ("val_loss", 1.75, "≤"),
    "shakespeare-gru": ("val_loss", 1.75, "≤"),
    "shakespeare-gpt": ("val_loss", 1.88, "≤"),
    "reverse-transformer": ("val_exact", 0.99, "≥"),
}


# The classifiers that evaluate the generated images.
JUDGES = {"digits-gan": "digits-resnet", "mnist-dcgan": "mnist-lenet"}


def train(name: str, runs: Path) -> None:
    """Train a recipe into its folder, or go on with it; a finished run is left as it is."""
    folder = runs / name
    summary = read(folder)
    if summary and finished(summary):
        return
    words = ["--resume", str(folder)] if (folder / "recipe.toml").exists() else [name, "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "ichikara", "train", *words], check=True)


def read(folder: Path) -> dict:
    """The summary of a run, empty where there is none."""
    path = folder / "run.json"
    return json.loads(path.read_text()) if path.exists() else {}


def finished(summary: dict) -> bool:
    """Whether a run was trained to its end."""
    return bool(summary.get("finished"))


def row(name: str, summary: dict) -> str:
    """A line of the table."""
    measure, bound, sign = GOALS[name]
    value = summary[measure]
    shown = f"{value:.2%}" if measure.endswith(("accuracy", "exact")) else f"{value:.4g}"
    if bound is None:
        goal, met = "", ""
    else:
        goal = f"{sign} {bound:.1%}" if measure.endswith(("accuracy", "exact")) else f"{sign} {bound:g}"
        met = "yes" if (value >= bound if sign == "≥" else value <= bound) else "**no**"
    minutes, seconds = divmod(round(summary["seconds"]), 60)
    measure = measure.replace("_", " ").replace("val ", "validation ").replace("train ", "training ")
    return (
        f"| `{name}` | {measure} | {shown} | {goal} | {met} | {summary['epochs']} | {minutes}:{seconds:02} | "
        f"{summary['parameters']:,} |"
    )


def judgement(runs: Path, name: str, judge: str) -> list[str]:
    """A classifier's evaluation of a generator's samples, as a line of a table."""
    result = sample_run(runs / name, 1000, 0, runs / judge)
    present = f"{result['classes_present']} of {len(result['classes'])}"
    counts = ", ".join(map(str, result["classes"]))
    return [f"| `{name}` | `{judge}` | {result['confidence']:.1%} | {present} | {counts} |"]


def write(runs: Path) -> None:
    """Write the table of all finished runs."""
    summaries = {name: read(runs / name) for name in GOALS}
    done = {name: summary for name, summary in summaries.items() if summary and finished(summary)}
    missing = [name for name in GOALS if name not in done]
    lines = [
        "# Results",
        "",
        "What the packaged recipes reach, each trained once from its own seed.",
        "Written by `python -m benchmarks.results`.",
        f"Machine: {os.cpu_count()} cores, Python {platform.python_version()}, shared with other work.",
        "Times are minutes of training by the clock, validation included.",
        "",
        "| recipe | measure | reached | goal | met | epochs | time | parameters |",
        "|---|---|---|---|---|---|---|---|",
        *(row(name, summary) for name, summary in done.items()),
    ]
    judged = [
        line
        for name, judge in JUDGES.items()
        if name in done and judge in done
        for line in judgement(runs, name, judge)
    ]
    if judged:
        lines += [
            "",
            "## Generated images",
            "",
            "1,000 samples of each generator, evaluated by another recipe's classifier.",
        ]
        lines += [
            "",
            "| generator | classifier | mean confidence | classes present | samples in each class |",
            "|---|---|---|---|---|",
        ]
        lines += judged
    if missing:
        lines += ["", f"Not run here: {', '.join(f'`{name}`' for name in missing)}."]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", help="which; by default all")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="the folder of the runs")
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    unknown = [name for name in options.recipes if name not in GOALS]
    if unknown:
        parser.error(f"unknown recipes: {', '.join(unknown)}")
    if not options.table:
        for name in options.recipes or GOALS:
            train(name, options.runs)
    write(options.runs)


if __name__ == "__main__":
    main()
