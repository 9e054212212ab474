"""Run other tools on PyTorch twins of the clinic's trainings, and write what they find into docs/doctor-published.md.

    python -m benchmarks.doctor_rivals                      # all, in an environment that has them
    python -m benchmarks.doctor_rivals --tools ichikara     # one of them; what is known of the others is kept

A twin has the data, the initial weights, the order of the batches and the fault of a training of the clinic: that
training is prepared as always, and then its network, its loss and its optimiser become PyTorch's. The tools are applied
as their documentation says: torchtest2 and torchtest to one batch before the training, torch-audit and Cockpit to its
steps. The doctor of this library examines the same trainings, its own ones.
"""

import argparse
import contextlib
import io
import json
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ichikara.glass.doctor import diagnose
from ichikara.recipes.clinic import FAULTS
from ichikara.recipes.clinic.examination import sick
from ichikara.recipes.clinic.healthy import VARIANTS, healthy
from ichikara.recipes.clinic.matrix import Cell, digest

from .markdown import replace_between, table
from .torch_twins import LOSSES, Twin, name_of_loss

PAGE = Path(__file__).parents[1] / "docs" / "doctor-published.md"
BEGIN, END = "<!-- rivals -->", "<!-- /rivals -->"
SUBJECT, SEEDS, EVERY = "mlp", range(5), 10

NAMED = {
    "torchtest2": {
        "softmax_over_the_batch": "batch_independence",
        "outside_the_optimizer": "optimizer_coverage params_change",
        "detached_half": "gradient_flow params_change",
        "layer_never_called": "gradient_flow params_change",
        "inputs_times_255": "initial_loss",
        "mixed_units": "initial_loss",
        "useless_column": "initial_loss",
        "rate_times_100": "overfit_batch",
        "rate_by_1000": "overfit_batch",
        "summed_loss": "overfit_batch",
        "momentum_999": "overfit_batch",
        "initial_weights_too_large": "initial_loss gradient_magnitude",
        "initial_weights_equal": "output_varies gradient_flow",
        "dead_relus": "gradient_flow output_varies",
        "twenty_sigmoids": "gradient_flow gradient_magnitude",
    },
    "torchtest": {
        "outside_the_optimizer": "VariablesChangeException",
        "detached_half": "VariablesChangeException",
        "layer_never_called": "VariablesChangeException",
        "frozen": "VariablesChangeException",
        "no_update": "VariablesChangeException",
        "dead_relus": "VariablesChangeException",
    },
    "torch-audit": {
        "frozen": "TA104",
        "detached_half": "TA104",
        "layer_never_called": "TA500",
        "inputs_times_255": "TA301",
        "inputs_by_1000": "TA301 TA302",
        "mixed_units": "TA301",
        "useless_column": "TA301 TA302",
        "rate_times_100": "TA100 TA102 TA105",
        "momentum_999": "TA100 TA102 TA105",
        "summed_loss": "TA100 TA102 TA105",
        "weight_decay_too_large": "TA402",
        "initial_weights_too_large": "TA100 TA102 TA105",
        "initial_weights_equal": "TA105",
        "dead_relus": "TA105 TA103",
        "batch_norm_of_two": "TA304",
    },
}
"""The checks of each tool whose message names the fault or its remedy: by a wide reading of what they say."""


# --- the tools --------------------------------------------------------------------------------------------------------


def first_batch(training: Twin) -> tuple[Any, Any]:
    """A batch as the loop gets it."""
    import torch

    inputs, targets = next(iter(training.loader))
    return torch.as_tensor(inputs), torch.as_tensor(targets)


def torchtest2(training: Twin) -> list[str]:
    """Its checks that fail or warn."""
    from torchtest2 import check_model

    inputs, targets = first_batch(training)
    report = check_model(training.model, inputs, targets, loss_fn=training.objective_of, optimizer=training.optimizer)
    return [result.name for result in [*report.failures, *report.warnings]]


def torchtest(training: Twin) -> list[str]:
    """The exception of its suite with the checks of changing parameters, NaN and infinity."""
    from torchtest import test_suite

    try:
        test_suite(
            training.model,
            training.objective_of,
            training.optimizer,
            first_batch(training),
            test_vars_change=True,
            test_nan_vals=True,
            test_inf_vals=True,
        )
    except Exception as error:
        if "torchtest" not in type(error).__module__:
            raise
        return [type(error).__name__]
    return []


def torch_audit(training: Twin) -> list[str]:
    """The identifiers of its findings, of every tenth step, without advice on hardware, whose identifiers begin TA2."""
    from torch_audit.runtime import Auditor

    auditor = Auditor(training.model, optimizer=training.optimizer, every_n_steps=EVERY)
    auditor.autopatch()
    try:
        training.run()
    finally:
        auditor.unpatch()
    found = dict.fromkeys(finding.rule_id for finding in auditor.findings)
    return [name for name in found if not name.startswith("TA2")]


def cockpit(training: Twin) -> list[str]:
    """It judges nothing: here is only whether it runs."""
    import torch
    from backpack import extend
    from cockpit import Cockpit
    from cockpit.utils.configuration import configuration

    model, (inputs, targets) = extend(training.model), first_batch(training)
    kind = torch.nn.CrossEntropyLoss if name_of_loss(training.recipe) == "cross_entropy" else torch.nn.MSELoss
    if kind is torch.nn.MSELoss and not targets.is_floating_point():
        targets = torch.nn.functional.one_hot(targets).float()
    loss_function, separate = extend(kind()), extend(kind(reduction="none"))
    instruments = Cockpit(model.parameters(), quantities=configuration("economy"))
    for step in range(3):
        training.optimizer.zero_grad()
        outputs = model(inputs)
        loss, losses = loss_function(outputs, targets), separate(outputs, targets).flatten()
        about = {"batch_size": len(inputs), "individual_losses": losses, "loss": loss, "optimizer": training.optimizer}
        with instruments(step, info=about):
            loss.backward(create_graph=instruments.create_graph(step))
        training.optimizer.step()
    return []


TOOLS = {"torch-audit": torch_audit, "torchtest2": torchtest2, "torchtest": torchtest, "cockpit-for-pytorch": cockpit}


# --- the runs ---------------------------------------------------------------------------------------------------------


def apply(tool: str, fault: str | None, recipe: Any) -> dict[str, Any]:
    """What a tool finds in a twin; "failed" with the reason if it does not run."""
    training = Twin(recipe.model_copy(deep=True))  # which a fault changes
    if fault:
        FAULTS[fault].patch(training)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        training.ready()
        try:
            return {"found": TOOLS[tool](training)}
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}


def ours(fault: str | None, recipe: Any) -> dict[str, Any]:
    """What the doctor finds in the training itself."""
    training = sick(FAULTS[fault] if fault else None, recipe.model_copy(deep=True))
    training.seconds = 120.0
    training.fit()
    return {"found": [finding.name for finding in diagnose(training.case()).findings]}


def sound_recipes() -> dict[str, Any]:
    """The healthy trainings that can be twins: the subject with five seeds, and the variants of dense networks."""
    recipes = {f"{SUBJECT} {seed}": healthy(SUBJECT, seed) for seed in SEEDS}
    for name in VARIANTS:
        recipe = healthy(name, 0)
        plain = recipe.schedule is None and recipe.model.name == "mlp" and recipe.optimizer.name != "RMSprop"
        if plain and name_of_loss(recipe) in LOSSES:
            recipes[name] = recipe
    return recipes


def collect(file: Path, tools: list[str]) -> dict[str, dict[str, Any]]:
    """What every tool finds in every training; what the file has is not done again."""
    rows: dict[str, dict[str, Any]] = {}
    for line in file.read_text("utf-8").splitlines() if file.exists() else []:
        row = json.loads(line)
        rows[row["key"]] = row
    trainings = {f"fault {name}": (name, healthy(SUBJECT, 0)) for name, f in FAULTS.items() if SUBJECT in f.subjects}
    trainings |= {f"sound {name}": (None, recipe) for name, recipe in sound_recipes().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "a", encoding="utf-8") as lines:
        for name, (fault, recipe) in trainings.items():
            for tool in tools:
                key, code = f"{tool} {name}", code_of(tool, fault, name)
                if rows.get(key, {}).get("code") == code:
                    continue
                try:
                    row = ours(fault, recipe) if tool == "ichikara" else apply(tool, fault, recipe)
                except Exception as error:  # no twin of it, or our own fault
                    row = {"failed": f"{type(error).__name__}: {error}"}
                rows[key] = {"key": key, "code": code, "torch": version_of("torch"), **row}
                lines.write(json.dumps(rows[key]) + "\n")
                lines.flush()
                print(f"{key:55} {row.get('failed') or ', '.join(row['found']) or 'nothing'}", flush=True)
    return rows


def code_of(tool: str, fault: str | None, name: str) -> str:
    """A checksum over what examines a training: of the doctor, its code, of another tool, its version."""
    subject = SUBJECT if fault or name.split()[1] == SUBJECT else name.split()[1]
    return digest(Cell(fault or "", subject, 0)) if tool == "ichikara" else version_of(tool)


# --- the page ---------------------------------------------------------------------------------------------------------


def judge(tool: str, fault: str, row: dict[str, Any], sound: dict[str, Any]) -> str:
    """Whether a tool names a fault, notices what it does not in the sound twin, finds nothing, or fails."""
    if "failed" in row:
        return "fails"
    if tool == "ichikara":
        accepts = FAULTS[fault].accepts
        return "named" if row["found"] and row["found"][0] in accepts else "noticed" if row["found"] else "nothing"
    new = [name for name in row["found"] if name not in sound.get("found", ())]
    if any(name in NAMED.get(tool, {}).get(fault, "").split() for name in new):
        return "named"
    return "noticed" if new else "nothing"


def text(rows: dict[str, dict[str, Any]]) -> str:
    """The tables."""
    tools = ["ichikara", *[tool for tool in TOOLS if tool != "cockpit-for-pytorch"]]
    faults = [name for name, fault in FAULTS.items() if SUBJECT in fault.subjects]
    marks = {
        (tool, fault): judge(tool, fault, rows[f"{tool} fault {fault}"], rows[f"{tool} sound {SUBJECT} 0"])
        for tool in tools
        for fault in faults
    }
    count = lambda tool, mark: sum(marks[tool, fault] == mark for fault in faults)
    names = list(sound_recipes())
    lines = []
    for tool in tools:
        sound = [rows[f"{tool} sound {name}"] for name in names]
        ran = [row for row in sound if "found" in row]
        alarms = sum(bool(row["found"]) for row in ran)
        numbers = [str(count(tool, mark)) for mark in ("named", "noticed", "nothing", "fails")]
        name = tool if tool == "ichikara" else f"{tool} {sound[0]['code']}"
        lines.append([name, *numbers, f"{alarms} of {len(ran)}"])
    head = ["tool", "fault named", "something noticed", "nothing", "does not run", "findings on healthy twins"]
    said = []
    for fault in faults:
        cells = []
        for tool in tools:
            row = rows[f"{tool} fault {fault}"]
            found = f"does not run: {row['failed'][:60]} …" if "failed" in row else ", ".join(row["found"]) or "–"
            cells.append(f"**{found}**" if marks[tool, fault] == "named" else found)
        said.append([fault, *cells])
    torch = rows[f"{tools[-1]} sound {SUBJECT} 0"]["torch"]
    parts = [
        table(head, lines),
        f"What each found, the right answers in bold (PyTorch {torch}):",
        table(["fault", *tools], said),
        about_cockpit(
            [rows[f"cockpit-for-pytorch fault {name}"] for name in faults]
            + [rows[f"cockpit-for-pytorch sound {name}"] for name in names]
        ),
    ]
    return "\n\n".join(parts)


def about_cockpit(rows: list[dict[str, Any]]) -> str:
    """Whether it ran."""
    failed = list(dict.fromkeys(row["failed"].rstrip(": ") for row in rows if "failed" in row))
    count = sum("found" in row for row in rows)
    ran = f"cockpit-for-pytorch {rows[0]['code']} ran on {count} of {len(rows)} twins"
    reason = f"; on the others: {'; '.join(failed)}" if failed else ""
    return f"{ran}{reason}. It draws instruments of a run and judges nothing, so it has no column."


def version_of(package: str) -> str:
    """The version of a package; empty for what is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=Path("runs/rivals.jsonl"), help="where what was found is kept")
    parser.add_argument("--tools", nargs="+", default=["ichikara", *TOOLS], choices=["ichikara", *TOOLS])
    options = parser.parse_args()
    rows = collect(options.file, options.tools)
    replace_between(PAGE, BEGIN, END, text(rows))
    print(f"wrote {PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
