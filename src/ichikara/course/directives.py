"""The directives of a lesson's text: what each becomes on a page."""

import re
from collections.abc import Callable
from html import escape
from typing import Any

from ..errors import UserError
from .markdown import Directive, attributes, plain_text

__all__ = ["DIRECTIVES", "inside", "labelled", "notes_of"]


def spoken(label: str) -> str:
    """The attribute that names an input by the words of its label, since readers say formulas in many ways."""
    return attributes(aria_label=plain_text(label))


def control(page: Any, name: str) -> str:
    """What moves a control: a slider, buttons, a field. Points, curves and drawings are moved on their figures."""
    control = page.lesson.controls[name]
    kind = type(control).__name__.lower()
    label, known = page.label(name), vars(control)
    words = spoken(label)
    if kind == "slider":
        back, on = (_step(page, by) if known["stepped"] else "" for by in (-1, 1))
        inner = (
            f'<label for="c-{name}">{label}</label>{back}'
            f'<input type="range" id="c-{name}" min="0" max="1" step="any"{words}>{on}<output for="c-{name}"></output>'
        )
    elif kind == "choice":
        labels = {option: page.label(f"{name}.{option}") for option in known["options"]}
        options = "".join(
            f'<label><input type="radio" name="{name}" value="{escape(option)}"{spoken(words)}>'
            f"<span>{words}</span></label>"
            for option, words in labels.items()
        )
        inner = f'<fieldset class="seg"><legend>{label}</legend>{options}</fieldset>'
    elif kind == "switch":
        inner = f'<label class="switch"><input type="checkbox" id="c-{name}"><span>{label}</span></label>'
    elif kind in ("words", "formula"):
        longest = known["longest"]
        inner = (
            f'<label for="c-{name}">{label}</label><input type="text" id="c-{name}" maxlength="{longest}" '
            f'autocomplete="off" spellcheck="false" autocapitalize="off" aria-describedby="p-{name}"{words}>'
            f'<p class="problem note" id="p-{name}" role="status"></p>'
        )
    elif kind == "matrix":
        rows = "".join(
            '<div class="row">'
            + "".join(
                f'<input type="number" min="{known["low"]:g}" max="{known["high"]:g}" step="{known["step"]:g}" '
                f'aria-label="{escape(page.say("cell", row=i, column=j))}">'
                for j in range(1, len(row) + 1)
            )
            + "</div>"
            for i, row in enumerate(known["value"], 1)
        )
        inner = f"<fieldset><legend>{label}</legend>{rows}</fieldset>"
    else:
        return ""
    data = {f"data_{key}": value for key, value in known.items() if key in ("low", "high", "step", "log", "unit")}
    looks = f"{kind} stepped" if known.get("stepped") else kind
    return f'<div class="control {looks}"{attributes(data_control=name, data_kind=kind, **data)}>{inner}</div>'


def _step(page: Any, by: int) -> str:
    """A button that moves a slider by a step."""
    word, sign = ("step_on", "→") if by > 0 else ("step_back", "←")
    return f'<button class="btn o" type="button" data-by="{by}" aria-label="{page.say(word)}">{sign}</button>'


def figure(page: Any, directive: Directive) -> str:
    """Charts with what moves them. The first stands on the left, the others over the controls on its right.

    Charts of the option ``below`` stand under the first one.
    """
    names = directive.argument.split()
    several = lambda option: directive.options.get(option, "").split()
    below = "".join(_chart(page, name) for name in several("below"))
    draws = directive.options.get("draw", "")
    charts = [_chart(page, name, draws if i == 0 else "") for i, name in enumerate(names)]
    controls = "".join(control(page, name) for name in several("controls"))
    actions = "".join(
        f'<button class="btn o" type="button" data-action="{name}">{page.label(name)}</button>'
        for name in several("actions")
        if page.lesson.actions[name] is not None
    )
    if draws:
        actions += f'<button class="btn o" type="button" data-clear="{draws}">{escape(page.say("clear"))}</button>'
    formulas = "".join(_formula_of(page, name) for name in several("formula"))
    row = f'<div class="row noprint">{actions}</div>' if actions else ""
    moved = f'<div class="controls">{controls}</div>' if controls else ""
    caption = f"<figcaption>{page.html(directive.body)}</figcaption>" if directive.body else ""
    if "wide" in directive.options:
        return f'<figure class="wide">{"".join(charts)}{below}{formulas}{moved}{row}{caption}</figure>'
    side = "".join(charts[1:]) + formulas + moved + row
    if not side:
        return f"<figure>{charts[0]}{below}{caption}</figure>"
    return (
        f'<figure class="wide"><div class="two"><div>{charts[0]}{below}</div><div>{side}</div></div>{caption}</figure>'
    )


def _chart(page: Any, name: str, draws: str = "") -> str:
    page.lesson.figures[name]
    return f'<div class="chart"{attributes(data_figure=name, data_draw=draws or None)}></div>'


def _formula_of(page: Any, name: str) -> str:
    return f'<div class="fx" data-formula="{name}">{page.state["formulas"][name]}</div>'


def formula(page: Any, directive: Directive) -> str:
    """A formula with the numbers of the figures."""
    return _formula_of(page, directive.argument)


def code(page: Any, directive: Directive) -> str:
    """The library's lines, with notes in the margin: items of the form ``- `fragment of a line` note``."""
    code = page.lesson.codes[directive.argument]
    notes = notes_of(directive)
    found, rows = set(), []
    for line in code.source.split("\n"):
        depth = (len(line) - len(line.lstrip())) // 4
        here = [i for i, (fragment, _) in enumerate(notes) if fragment in line and i not in found]
        found.update(here)
        indent = f'<span class="in d{depth}">{" " * 4 * depth}</span>' if depth else ""
        rows.append(f'<div class="l{" m" if here else ""}">{indent}{_keywords(line.lstrip()) or " "}</div>')
        rows += [f'<div class="c">{page.inline(notes[i][1])}</div>' for i in here]
    if len(found) < len(notes):
        missing = next(fragment for i, (fragment, _) in enumerate(notes) if i not in found)
        raise UserError(f"lesson {page.lesson.slug}: the code {code.name} has no line with {missing!r}")
    head = f'<div class="f"><span>{escape(code.file)}</span></div>'
    label = escape(page.say("code_of", code=code.name), quote=True)
    return f'<div class="code" tabindex="0" role="group" aria-label="{label}">{head}{"".join(rows)}</div>'


def notes_of(directive: Directive) -> list[tuple[str, str]]:
    """The notes of a directive of code: a fragment of a line, and what is said of it."""
    found = re.findall(r"^- `([^`]+)` (.+(?:\n  .+)*)", directive.body, re.MULTILINE)
    return [(fragment, " ".join(note.split())) for fragment, note in found]


_KEYWORD = re.compile(
    r"(?<![\w.])(def|class|return|for|in|if|else|elif|while|with|not|and|or|is|lambda|yield|from|import|raise|try|"
    r"except|None|True|False)(?!\w)(?=(?:[^\"']*[\"'][^\"']*[\"'])*[^\"']*$)"
)


def _keywords(line: str) -> str:
    return _KEYWORD.sub(r"<b>\1</b>", escape(line, quote=False))


_ITEM = re.compile(r"^- ([\w.-]+): (.+)\n?", re.MULTILINE)


def labelled(directive: Directive) -> tuple[dict[str, str], list[Directive | str]]:
    """The items ``- name: words`` of a directive, and what stands beside them: text and figures."""
    labels: dict[str, str] = {}
    beside: list[Directive | str] = []
    for part in directive.parts:
        if isinstance(part, str):
            labels.update(_ITEM.findall(part))
            beside.append(_ITEM.sub("", part))
        elif part.kind == "figure":
            beside.append(part)
    return labels, beside


def inside(directive: Directive, kind: str) -> list[Directive]:
    """The directives of a kind that stand in another one."""
    return [part for part in directive.parts if isinstance(part, Directive) and part.kind == kind]


def _replies(page: Any, directive: Directive) -> str:
    return "".join(
        f'<div class="reply" data-reply="{part.argument}" hidden>{page.html(part.body)}</div>'
        for part in inside(directive, "reply")
    )


def prediction(page: Any, directive: Directive) -> str:
    """A question to commit to: items ``- option: words``, and replies to ``right``, to options, and ``after`` all."""
    prediction = page.lesson.predictions[directive.argument]
    labels, texts = labelled(directive)
    kind = "checkbox" if prediction.several else "radio"
    pictures = prediction.charts is not None
    options = "".join(
        f'<div><label class="opt"><input type="{kind}" name="p-{prediction.name}" value="{option}"'
        + f"{spoken(page.inline(labels[option]))}>"
        + (f'<span class="pic chart" data-option="{option}"></span>' if pictures else "")
        + f'<span class="cap"><span class="box {kind}" aria-hidden="true"></span>'
        f"<span>{page.inline(labels[option])}</span></span></label>"
        f'<dl class="verdict" data-option="{option}"></dl></div>'
        for option in prediction.options
    )
    return (
        f'<div class="prediction wide" data-prediction="{prediction.name}">{"".join(map(page.part, texts))}'
        f'<fieldset class="opts {"pics" if pictures else "lines"}">'
        f'<legend class="vh">{escape(page.say("your_prediction"))}</legend>{options}</fieldset>'
        f'<div class="commit noprint"><label>{escape(page.say("why"))}<input type="text" name="why" autocomplete="off" '
        f'maxlength="300"></label><button class="btn" type="button">{escape(page.say("commit"))}</button>'
        f'<span class="note" role="status" hidden>{escape(page.say("choose_first"))}</span></div>'
        f'<div class="fb" tabindex="-1" hidden>{_replies(page, directive)}<p class="note mine"></p></div></div>'
    )


def experiment(page: Any, directive: Directive) -> str:
    """A long computation with a button. What stands in the directive is said when it has ended."""
    name = directive.argument
    page.lesson.experiments[name]
    controls = "".join(control(page, each) for each in directive.options.get("controls", "").split())
    return (
        f'<figure data-experiment="{name}"><div class="chart"></div><div class="controls">{controls}</div>'
        '<div class="row noprint"><button class="btn" type="button">'
        f"{page.inline(directive.options['button'])}</button>"
        f'<span class="note n" role="status"></span></div>'
        f"<figcaption hidden>{page.html(directive.body)}</figcaption></figure>"
    )


def claim(page: Any, directive: Directive) -> str:
    """A claim with the button that computes it. What stands in the directive is said with its numbers."""
    name = directive.argument
    page.lesson.claims[name]
    return (
        f'<div class="claim" data-claim="{name}"><div class="row noprint"><button class="btn" type="button">'
        f'{escape(page.say("compute"))}</button><span class="note" role="status"></span></div>'
        f'<div class="charts"></div><div class="result" role="status" hidden>{page.html(directive.body)}</div></div>'
    )


def exercise(page: Any, directive: Directive) -> str:
    """An exercise: its task, the form of its answer, replies to what is wrong and right, and hints."""
    exercise = page.lesson.exercises[directive.argument]
    labels, texts = labelled(directive)
    hints = "".join(
        f'<details class="hint noprint"><summary><span class="k">{i}</span>'
        f'<span>{escape(page.say("hint", number=i))}</span><span class="sh">{escape(page.say("show"))}</span></summary>'
        f'<div class="an">{page.html(hint.body)}</div></details>'
        for i, hint in enumerate(inside(directive, "hint"), 1)
    )
    verb = "run" if exercise.kind == "code" else "check"
    note = f'<span class="note">{escape(page.say("tab_indents"))}</span>' if exercise.kind == "code" else ""
    columns = f" columns-{directive.options['columns']}" if "columns" in directive.options else ""
    return (
        f'<div class="sub exercise{columns}" id="ex-{exercise.name}" data-exercise="{exercise.name}" '
        f'data-kind="{exercise.kind}">'
        f"<h3>{page.inline(directive.options['title'])}</h3>{''.join(map(page.part, texts))}"
        f"{FORMS[exercise.kind](page, exercise, labels)}"
        f'<div class="row noprint"><button class="btn" type="button">{escape(page.say(verb))}</button>{note}</div>'
        f'<div class="fb" role="status" aria-live="polite" tabindex="-1">{_replies(page, directive)}</div>'
        f'<pre class="printed" hidden></pre>{hints}'
        f'<label class="own noprint">{escape(page.say("own_words"))}'
        '<input type="text" maxlength="300" autocomplete="off"></label></div>'
    )


def _program(page: Any, exercise: Any, labels: dict[str, str]) -> str:
    count = exercise.stub.rstrip("\n").count("\n") + 1
    numbers = "\n".join(map(str, range(1, count + 1)))
    return (
        f'<div class="ed"><pre aria-hidden="true">{numbers}</pre><textarea rows="{count}" spellcheck="false" '
        f'autocapitalize="off" autocomplete="off" wrap="off" aria-label="{escape(page.say("your_program"))}">'
        f"{escape(exercise.stub)}</textarea></div>"
    )


def _fields(page: Any, exercise: Any, labels: dict[str, str]) -> str:
    shown = {name: page.inline(labels[name]) for name in exercise.fields}
    fields = "".join(
        f'<label><span>{label}</span><input type="text" inputmode="decimal" name="{name}" autocomplete="off"'
        f"{spoken(label)}></label>"
        for name, label in shown.items()
    )
    return f'<div class="fields">{fields}</div>'


def _options(page: Any, exercise: Any, labels: dict[str, str]) -> str:
    options = "".join(
        f'<label class="opt"><input type="radio" name="e-{exercise.name}" value="{name}"'
        f'{spoken(page.inline(labels[name]))}><span class="cap">'
        f'<span class="box radio" aria-hidden="true"></span><span>{page.inline(labels[name])}</span></span></label>'
        for name in exercise.fields
    )
    return f'<fieldset class="opts lines"><legend class="vh">{exercise.name}</legend>{options}</fieldset>'


FORMS: dict[str, Callable[[Any, Any, dict[str, str]], str]] = {
    "choice": _options,
    "code": _program,
    "numbers": _fields,
}


def question(page: Any, directive: Directive) -> str:
    """Questions for recall are shown in later lessons; see `questions`."""
    return ""


DIRECTIVES: dict[str, Callable[[Any, Directive], str]] = {
    "claim": claim,
    "code": code,
    "exercise": exercise,
    "experiment": experiment,
    "figure": figure,
    "formula": formula,
    "prediction": prediction,
    "question": question,
}
"""What makes each directive, by its name."""
