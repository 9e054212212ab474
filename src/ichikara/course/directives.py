"""The directives of a lesson's text: what each becomes on a page."""

import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .markdown import Directive, attributes, plain_text

if TYPE_CHECKING:
    from .page import Page

__all__ = ["DIRECTIVES"]


def control(page: "Page", name: str) -> str:
    """What moves a control: a slider, buttons, a field. Points, curves and drawings are moved on their figures."""
    control = page.lesson.controls[name]
    kind = type(control).__name__.lower()
    label, known = page.label(name), vars(control)
    words = attributes(aria_label=plain_text(label))  # what a screen reader says of a formula differs too much
    if kind == "slider":
        back, on = (_step(page, by) if known["stepped"] else "" for by in (-1, 1))
        inner = (
            f'<label for="c-{name}">{label}</label>{back}'
            f'<input type="range" id="c-{name}" min="0" max="1" step="any"{words}>{on}<output for="c-{name}"></output>'
        )
    elif kind == "choice":
        shown = {option: page.label(f"{name}.{option}") for option in known["options"]}
        options = "".join(
            f'<label><input type="radio" name="{name}" value="{escape(option)}"'
            f"{attributes(aria_label=plain_text(words))}><span>{words}</span></label>"
            for option, words in shown.items()
        )
        inner = f'<fieldset class="seg"><legend>{label}</legend>{options}</fieldset>'
    elif kind == "switch":
        inner = f'<label class="switch"><input type="checkbox" id="c-{name}"><span>{label}</span></label>'
    elif kind in ("words", "formula"):
        longest = known["longest"]
        inner = (
            f'<label for="c-{name}">{label}</label><input type="text" id="c-{name}" maxlength="{longest}" '
            f'autocomplete="off" spellcheck="false" autocapitalize="off" aria-describedby="p-{name}">'
            f'<p class="problem note" id="p-{name}" role="status"></p>'
        )
    else:
        return ""
    data = {f"data_{key}": value for key, value in known.items() if key in ("low", "high", "step", "log", "unit")}
    looks = f"{kind} stepped" if known.get("stepped") else kind
    return f'<div class="control {looks}"{attributes(data_control=name, data_kind=kind, **data)}>{inner}</div>'


def _step(page: "Page", by: int) -> str:
    """A button that moves a slider by a step."""
    word, sign = ("step_on", "→") if by > 0 else ("step_back", "←")
    return f'<button class="btn o" type="button" data-by="{by}" aria-label="{page.say(word)}">{sign}</button>'


def figure(page: "Page", directive: Directive) -> str:
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


def _chart(page: "Page", name: str, draws: str = "") -> str:
    page.lesson.figures[name]
    return f'<div class="chart"{attributes(data_figure=name, data_draw=draws or None)}></div>'


def _formula_of(page: "Page", name: str) -> str:
    return f'<div class="fx" data-formula="{name}">{page.state["formulas"][name]}</div>'


def formula(page: "Page", directive: Directive) -> str:
    """A formula with the numbers of the figures."""
    return _formula_of(page, directive.argument)


def code(page: "Page", directive: Directive) -> str:
    """The library's lines, with notes in the margin: items of the form ``- `fragment of a line` note``."""
    code = page.lesson.codes[directive.argument]
    notes = re.findall(r"^- `([^`]+)` (.+(?:\n  .+)*)", directive.body, re.MULTILINE)
    found, rows = set(), []
    for line in code.source.split("\n"):
        depth = (len(line) - len(line.lstrip())) // 4
        here = [i for i, (fragment, _) in enumerate(notes) if fragment in line and i not in found]
        found.update(here)
        indent = f'<span class="in d{depth}">{" " * 4 * depth}</span>' if depth else ""
        rows.append(f'<div class="l{" m" if here else ""}">{indent}{_keywords(line.lstrip()) or " "}</div>')
        rows += [f'<div class="c">{page.inline(" ".join(notes[i][1].split()))}</div>' for i in here]
    if len(found) < len(notes):
        missing = next(fragment for i, (fragment, _) in enumerate(notes) if i not in found)
        raise UserError(f"lesson {page.lesson.slug}: the code {code.name} has no line with {missing!r}")
    head = f'<div class="f"><span>{escape(code.file)}</span></div>'
    label = escape(page.say("code_of", code=code.name), quote=True)
    return f'<div class="code" tabindex="0" role="group" aria-label="{label}">{head}{"".join(rows)}</div>'


_KEYWORD = re.compile(
    r"(?<![\w.])(def|class|return|for|in|if|else|elif|while|with|not|and|or|is|lambda|yield|from|import|raise|try|"
    r"except|None|True|False)(?!\w)(?=(?:[^\"']*[\"'][^\"']*[\"'])*[^\"']*$)"
)


def _keywords(line: str) -> str:
    return _KEYWORD.sub(r"<b>\1</b>", escape(line, quote=False))


_ITEM = re.compile(r"^- ([\w.-]+): (.+)\n?", re.MULTILINE)


def _labelled(directive: Directive) -> tuple[dict[str, str], list[str]]:
    """The items ``- name: words`` of a directive, and the text beside them."""
    texts = [part for part in directive.parts if isinstance(part, str)]
    return {name: words for text in texts for name, words in _ITEM.findall(text)}, [_ITEM.sub("", t) for t in texts]


def _inside(directive: Directive, kind: str) -> list[Directive]:
    return [part for part in directive.parts if isinstance(part, Directive) and part.kind == kind]


def _replies(page: "Page", directive: Directive) -> str:
    return "".join(
        f'<div class="reply" data-reply="{part.argument}" hidden>{page.html(part.body)}</div>'
        for part in _inside(directive, "reply")
    )


def prediction(page: "Page", directive: Directive) -> str:
    """A question to commit to: items ``- option: words``, and replies to ``right``, to options, and ``after`` all."""
    prediction = page.lesson.predictions[directive.argument]
    labels, texts = _labelled(directive)
    kind = "checkbox" if prediction.several else "radio"
    pictures = prediction.charts is not None
    shown = {option: page.inline(labels[option]) for option in prediction.options}
    options = "".join(
        f'<div><label class="opt"><input type="{kind}" name="p-{prediction.name}" value="{option}"'
        f"{attributes(aria_label=plain_text(shown[option]))}>"
        + (f'<span class="pic chart" data-option="{option}"></span>' if pictures else "")
        + f'<span class="cap"><span class="box {kind}" aria-hidden="true"></span>'
        f"<span>{shown[option]}</span></span></label>"
        f'<dl class="verdict" data-option="{option}"></dl></div>'
        for option in prediction.options
    )
    return (
        f'<div class="prediction wide" data-prediction="{prediction.name}">{"".join(map(page.html, texts))}'
        f'<fieldset class="opts {"pics" if pictures else "lines"}">'
        f'<legend class="vh">{escape(page.say("your_prediction"))}</legend>{options}</fieldset>'
        f'<div class="commit noprint"><label>{escape(page.say("why"))}<input type="text" name="why" autocomplete="off" '
        f'maxlength="300"></label><button class="btn" type="button">{escape(page.say("commit"))}</button>'
        f'<span class="note" role="status" hidden>{escape(page.say("choose_first"))}</span></div>'
        f'<div class="fb" tabindex="-1" hidden>{_replies(page, directive)}<p class="note mine"></p></div></div>'
    )


def experiment(page: "Page", directive: Directive) -> str:
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


def claim(page: "Page", directive: Directive) -> str:
    """A claim with the button that computes it. What stands in the directive is said with its numbers."""
    name = directive.argument
    page.lesson.claims[name]
    return (
        f'<div class="claim" data-claim="{name}"><div class="row noprint"><button class="btn" type="button">'
        f'{escape(page.say("compute"))}</button><span class="note" role="status"></span></div>'
        f'<div class="charts"></div><div class="result" role="status" hidden>{page.html(directive.body)}</div></div>'
    )


def exercise(page: "Page", directive: Directive) -> str:
    """An exercise: its task, the form of its answer, replies to what is wrong and right, and hints."""
    exercise = page.lesson.exercises[directive.argument]
    labels, texts = _labelled(directive)
    hints = "".join(
        f'<details class="hint noprint"><summary><span class="k">{i}</span>'
        f'<span>{escape(page.say("hint", number=i))}</span><span class="sh">{escape(page.say("show"))}</span></summary>'
        f'<div class="an">{page.html(hint.body)}</div></details>'
        for i, hint in enumerate(_inside(directive, "hint"), 1)
    )
    verb = "run" if exercise.kind == "code" else "check"
    note = f'<span class="note">{escape(page.say("tab_indents"))}</span>' if exercise.kind == "code" else ""
    return (
        f'<div class="sub exercise" id="ex-{exercise.name}" data-exercise="{exercise.name}" '
        f'data-kind="{exercise.kind}">'
        f"<h3>{page.inline(directive.options['title'])}</h3>{''.join(map(page.html, texts))}"
        f"{FORMS[exercise.kind](page, exercise, labels)}"
        f'<div class="row noprint"><button class="btn" type="button">{escape(page.say(verb))}</button>{note}</div>'
        f'<div class="fb" role="status" aria-live="polite" tabindex="-1">{_replies(page, directive)}</div>'
        f'<pre class="printed" hidden></pre>{hints}'
        f'<label class="own noprint">{escape(page.say("own_words"))}'
        '<input type="text" maxlength="300" autocomplete="off"></label></div>'
    )


def _program(page: "Page", exercise: Any, labels: dict[str, str]) -> str:
    count = exercise.stub.rstrip("\n").count("\n") + 1
    numbers = "\n".join(map(str, range(1, count + 1)))
    return (
        f'<div class="ed"><pre aria-hidden="true">{numbers}</pre><textarea rows="{count}" spellcheck="false" '
        f'autocapitalize="off" autocomplete="off" wrap="off" aria-label="{escape(page.say("your_program"))}">'
        f"{escape(exercise.stub)}</textarea></div>"
    )


def _fields(page: "Page", exercise: Any, labels: dict[str, str]) -> str:
    shown = {name: page.inline(labels[name]) for name in exercise.fields}
    fields = "".join(
        f'<label><span>{label}</span><input type="text" inputmode="decimal" name="{name}" autocomplete="off"'
        f"{attributes(aria_label=plain_text(label))}></label>"
        for name, label in shown.items()
    )
    return f'<div class="fields">{fields}</div>'


def _options(page: "Page", exercise: Any, labels: dict[str, str]) -> str:
    shown = {name: page.inline(labels[name]) for name in exercise.fields}
    options = "".join(
        f'<label class="opt"><input type="radio" name="e-{exercise.name}" value="{name}"'
        f'{attributes(aria_label=plain_text(label))}><span class="cap">'
        f'<span class="box radio" aria-hidden="true"></span><span>{label}</span></span></label>'
        for name, label in shown.items()
    )
    return f'<fieldset class="opts lines"><legend class="vh">{exercise.name}</legend>{options}</fieldset>'


FORMS: dict[str, Callable[["Page", Any, dict[str, str]], str]] = {
    "choice": _options,
    "code": _program,
    "numbers": _fields,
}


def question(page: "Page", directive: Directive) -> str:
    """Questions for recall are shown in later lessons; see `questions`."""
    return ""


DIRECTIVES: dict[str, Callable[["Page", Directive], str]] = {
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
