"""What is made of lessons besides their pages: runs in the terminal, notebooks, static pages, charts, keys."""

import json
import re
import shutil

import pytest
from matplotlib import font_manager

from ichikara.charts import Chart, Line
from ichikara.course.directives import DIRECTIVES, inside
from ichikara.course.lesson import Outcome
from ichikara.course.lessons import LESSONS, PARTS, READY, lesson_of, text_of
from ichikara.course.outputs import gallery
from ichikara.course.outputs.cells import Cells, without_terms
from ichikara.course.outputs.charts import charts_of
from ichikara.course.outputs.key import key_of
from ichikara.course.outputs.notebook import CELLS, Notebook, write_notebook
from ichikara.course.outputs.reading import filled, formula_text, readable
from ichikara.course.outputs.run import SAID, Run
from ichikara.plot import save, theme
from ichikara.words import LANGUAGES, in_language

languages = pytest.mark.parametrize("language", LANGUAGES)
each = pytest.mark.parametrize("slug", READY)


def complaint(answer):
    """The one line that a mistake is answered with."""
    code, out, err = answer
    assert code == 2, err
    assert out == ""
    (line,) = err.strip().splitlines()
    return line.removeprefix("error: ")


# --- text -------------------------------------------------------------------------------------------------------------

FORMULAS = {
    r"u & = & w_0 \\ o & = & [1 > 0]": "u = w₀\no = [1 > 0]",
    r"\class{w1}{w_1 \cdot x_1} - (-2)": "w₁ · x₁ − (−2)",
    r"\frac{\partial L}{\partial W^0} = \frac{a + 1}{b}": "∂L/∂W⁰ = (a + 1)/b",
    r"x^\top W \in \mathbb{R}^{3 \times 5}": "xᵀ W ∈ ℝ^(3×5)",
    r"\max(0, x) = -\log p": "max(0, x) = −log p",
    r"\mathrm{softmax}(x)_i": "softmax(x)ᵢ",
    r"\sqrt{x^2 + 1} \le e^{-x}": "√(x² + 1) ≤ e^(−x)",
    r"\hat{y}\,\bar{x}": "ŷ x̄",
}


@pytest.mark.parametrize("latex", FORMULAS)
def test_formulas_as_text(latex):
    assert formula_text(latex) == FORMULAS[latex]


def test_text_with_numbers_in_it():
    with in_language("en"):
        numbers = {"a.n": 1200, "a.share": 0.5, "a.caption": "All is well.", "a.ok": True}
        assert filled("{{ a.n:,d }} {{a.share:.0%}} {{ a.caption }} {{ a.ok }} {{ a.later }}.", numbers) == (
            "1,200 50% All is well. Yes ."
        )
    assert readable("**All** *of* `w[0] * 2` is $x_0$, as [the page](x.md) says: 2 * 3 * 4") == (
        "All of w[0] * 2 is x₀, as the page says: 2 * 3 * 4"
    )


@each
@languages
def test_all_formulas_of_lessons_can_be_written_as_text(slug, language):
    with in_language(language):
        for line in Run(slug, quick=True)._parts(
            "\n\n".join(f":::{{formula}} {name}\n:::" for name in lesson_of(slug).formulas)
        ):
            assert "\\" not in line.text


# --- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_says_something_of_every_directive():
    assert set(SAID) == set(DIRECTIVES)


@each
@pytest.mark.parametrize("language", ["en", pytest.param("ja", marks=pytest.mark.slow)])
def test_a_quick_run_holds(slug, language):
    with in_language(language):
        run = Run(slug, quick=True)
        lines = list(run.lines())
    assert run.failed == []
    assert lines[-1].holds
    text = "\n".join(line.text for line in lines)
    assert "{{" not in text
    assert ":::" not in text
    for exercise in lesson_of(slug).exercises.values():
        assert all(f"{exercise.name}: " in text for _ in exercise.wrong)


def test_a_run_says_what_does_not_hold(monkeypatch, run):
    lesson = lesson_of("neuron")
    monkeypatch.setitem(lesson.claims, "ring", lambda: Outcome(False, {"first": 2, "length": 4}))
    exercise = lesson.exercises["nand"]
    monkeypatch.setitem(exercise.wrong, "zero", exercise.right)
    status, out, err = run("learn", "neuron", "--run", "--quick", "--lang", "en")
    assert status == 1
    assert err == ""
    assert "ring: does NOT hold" in out
    assert "nand: a wrong answer is recognised: zero (taken for: right)" in out
    assert out.strip().splitlines()[-1] == "One neuron draws one line: does not hold: ring, nand"


def test_a_run_from_the_command_line(run):
    status, out, err = run("learn", "neuron", "--run", "--quick", "--lang", "ja")
    assert (status, err) == (0, "")
    assert "u = w₀ · 1 + w₁ · x₁ + w₂ · x₂" in out
    assert "すべて成り立つ" in out.strip().splitlines()[-1]
    assert max(len(line) for line in out.splitlines() if not line.startswith("  ")) <= 92


# --- mistakes on the command line -------------------------------------------------------------------------------------


def test_mistakes_are_answered_in_a_line(run, tmp_path):
    assert "unknown lesson 'neurone'; did you mean 'neuron'?" in complaint(run("learn", "neurone", "--run"))
    assert complaint(run("learn", "--quick")) == "--quick is for --run"
    assert "--run and --key do different things" in complaint(run("learn", "--run", "--key"))
    assert "name it" in complaint(run("learn", "--notebook", tmp_path / "a.ipynb"))
    assert "leave the lesson's name out" in complaint(run("learn", "neuron", "--gallery", tmp_path))


# --- charts as files --------------------------------------------------------------------------------------------------


@each
def test_every_chart_of_a_lesson_can_be_drawn(slug, tmp_path):
    with in_language("ja"):
        drawn = {name: save(chart, tmp_path / f"{name}.png") for name, chart in charts_of(slug, experiments=False)}
    assert {f"{slug}.{name}" for name in lesson_of(slug).figures} <= set(drawn)


def test_figures_from_the_command_line(run, tmp_path):
    status, out, err = run("figures", "--only", "neuron.plane", "--lang", "ja", "--theme", "dark", "--out", "a/b")
    assert (status, err) == (0, "")
    assert out.split() == ["a/b/neuron.plane.svg"]
    text = (tmp_path / "a/b/neuron.plane.svg").read_text(encoding="utf-8")
    assert "発火する" in text
    assert "sans-serif" in text
    status, out, _ = run("figures", "--only", "a2", "--format", "png", "--quick", "--out", tmp_path)
    names = {line.rpartition("/")[2] for line in out.split()}
    assert status == 0
    assert {"neuron.cell.png", "neuron.lines.A.png", "neuron.lines.D.result.png", "neuron.ring.4.png"} <= names
    assert "neuron.bound.png" not in names


def test_mistakes_about_figures(run, tmp_path):
    assert "Allowed: svg, png, pdf" in complaint(run("figures", "--format", "gif", "--out", tmp_path))
    assert "Allowed: light, dark" in complaint(run("figures", "--theme", "red", "--out", tmp_path))
    assert "did you mean 'plane'?" in complaint(run("figures", "--only", "neuron.plain", "--out", tmp_path))
    assert "unknown lesson or part" in complaint(run("figures", "--only", "Z9", "--out", tmp_path))
    assert "--out" in complaint(run("figures"))
    (tmp_path / "taken").write_text("")
    assert "taken" in complaint(run("figures", "--only", "neuron.plane", "--out", tmp_path / "taken"))


def test_every_lesson_has_its_parts_of_the_lecture():
    assert set(PARTS.values()) == set(LESSONS)
    assert len(PARTS) == 36


def test_fonts_that_ship_are_used_first():
    assert theme.families("loss")[0] == "Source Sans 3"
    assert theme.families("損失")[:2] == ["Source Sans 3", "Zen Kaku Gothic New"]
    for family, character in (("Source Sans 3", "η"), ("Zen Kaku Gothic New", "損")):
        file = font_manager.findfont(family, fallback_to_default=False)
        assert ord(character) in font_manager.get_font(file).get_charmap()


# --- notebooks --------------------------------------------------------------------------------------------------------


def test_a_notebook_shows_a_chart():
    chart = Chart([Line([0, 1], [0, 1])], alt="A line that rises.")
    shown = chart._repr_mimebundle_()
    assert shown["image/svg+xml"].startswith("<svg")
    assert shown["text/plain"] == "A line that rises."


def test_a_notebook_has_cells_for_every_directive():
    assert set(CELLS) == set(DIRECTIVES)


def test_formulas_keep_their_columns():
    assert without_terms(r"\class{w0}{w_0}") == "{w_0}"
    assert without_terms(r"u & = & 1 \\ & = & 2").startswith(r"\begin{array}{rcl}")


@each
@languages
def test_a_notebook_is_one(slug, language, tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is the judge of notebooks, and is not installed")
    with in_language(language):
        write_notebook(slug, tmp_path / "a.ipynb")
        cells = list(Notebook(slug).cells())
    nbformat.validate(nbformat.read(tmp_path / "a.ipynb", 4))
    assert "pip install ichikara" in next(text for kind, text in cells if kind == "code").splitlines()[0]
    for kind, text in cells:
        if kind == "code":
            compile(text, "a cell", "exec")
        assert "{{" not in text
        assert ":::" not in text
    code = "\n".join(text for kind, text in cells if kind == "code")
    lesson = lesson_of(slug)
    for part, names in (("claim", lesson.claims), ("experiment", lesson.experiments), ("check", lesson.exercises)):
        for name in names:
            assert f'lesson.{part}("{name}"' in code
    assert all(f'"{name}"' in code for name in (*lesson.figures, *lesson.formulas, *lesson.predictions))


def executed(slug, language, change=str):
    """The outputs of a notebook's cells, by the cell's text. Arguments: ``change``, of the notebook's JSON."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient runs notebooks, and is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel runs notebooks, and is not installed")
    import nbformat

    with in_language(language):
        text = change(json.dumps(Notebook(slug).as_json()))
    notebook = nbformat.reads(text, 4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def shown(outputs, kind):
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_runs():
    right = {"w0": "1.5", "w1": "-1", "w2": "-1"}
    answers = {json.dumps(dict.fromkeys(right, "")): right, "prediction = []": 'prediction = ["A", "B", "D"]'}

    def change(text):
        for before, after in answers.items():
            after = after if isinstance(after, str) else json.dumps(after)
            text = text.replace(json.dumps(before)[1:-1], json.dumps(after)[1:-1], 1)
        return text

    cells = executed("neuron", "ja", change)
    by = lambda words: next(outputs for text, outputs in cells.items() if words in text)
    assert len(shown(by('figures["plane"]'), "image/svg+xml")) == 2
    assert "発火する" in shown(by('figures["plane"]'), "image/svg+xml")[0]
    assert shown(by("lesson.formula("), "text/latex")[0].startswith("$$")
    assert "200組" in shown(by('experiment("bound")'), "text/markdown")[-1]
    assert len(shown(by('claim("ring")'), "image/svg+xml")) == 4
    assert shown(by('check("nand"'), "text/markdown")[0].startswith("NAND になりました")
    predicted = shown(by("lesson.predict("), "text/markdown")
    assert any("予想と違いました" in words for words in predicted)


@pytest.mark.slow
@each
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_every_notebook_runs(slug):
    assert executed(slug, "en")


@each
@languages
def test_cells_name_what_is_wrong(slug, language):
    with in_language(language):
        said = []
        cells = Cells(slug, said.append)
        for exercise in lesson_of(slug).exercises.values():
            for name, answer in {"right": exercise.right, **exercise.wrong}.items():
                if exercise.kind == "code":
                    names = {}
                    exec(answer, names)
                    answer = names
                said.clear()
                cells.check(exercise.name, answer)
                (words,) = said
                directive = cells._directive("exercise", exercise.name)
                reply = re.search(rf"\{{reply\}} {name}\n(.+)", directive.body)[1]
                assert words[:8] == filled(reply, {})[:8] or "{{" in reply


def test_cells_say_where_a_program_fails():
    with in_language("en"):
        said = []
        cells = Cells("neuron", said.append)
        names = {}
        exec(compile("def predict(w, x):\n    return w[7]", "cell", "exec"), names)
        cells.check("predict", names)
        cells.check("predict", {})
        cells.check("predict", {"predict": lambda: 1})
    assert said[:2] == ["Line 2: IndexError: list index out of range", "The program does not define predict."]
    assert said[2].startswith("When your answer was tried, this came up: TypeError")


def test_a_notebook_from_the_command_line(run, tmp_path):
    status, out, err = run("learn", "neuron", "--notebook", "n.ipynb", "--lang", "ja")
    assert (status, out, err) == (0, "", "notebook   n.ipynb\n")
    assert 'open_lesson(\\"neuron\\", \\"ja\\")' in (tmp_path / "n.ipynb").read_text(encoding="utf-8")
    assert "ends in .ipynb" in complaint(run("learn", "neuron", "--notebook", "n.txt"))
    assert "no/n.ipynb cannot be used" in complaint(run("learn", "neuron", "--notebook", "no/n.ipynb"))


# --- the teacher's key ------------------------------------------------------------------------------------------------


@each
@languages
def test_a_key_has_all_that_a_teacher_needs(slug, language):
    with in_language(language):
        key = key_of(slug)
    text, lesson = text_of(slug, language), lesson_of(slug)
    assert "{{" not in key
    assert ":::" not in key
    for directive in text.directives("exercise"):
        assert directive.options["title"] in key
        assert all(hint.body in key for hint in inside(directive, "hint"))
        assert all(f"`{name}`" in key for name in lesson.exercises[directive.argument].wrong)
        for reply in inside(directive, "reply"):
            first = reply.body.split("{{")[0].split("\n")[0].strip()
            assert first in key, (directive.argument, reply.argument)
    assert all(question.argument in key for question in text.directives("question"))


def test_a_key_from_the_command_line(run):
    status, out, err = run("learn", "--key", "--lang", "en")
    assert (status, err) == (0, "")
    assert sum(line.startswith("# ") for line in out.splitlines()) == len(READY)
    assert "the sum is −1." in out  # the reply to the wrong answer that stands there


# --- pages without a server -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The gallery, of lesson 1 alone."""
    folder = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as patched, in_language("en"):
        patched.setattr(gallery, "READY", ("neuron",))
        written = list(gallery.write_gallery(folder))
    assert written == [path for path in written if path.suffix == ".html"]
    return folder


def test_the_gallery_s_links_lead_to_files(pages):
    files = list(pages.rglob("*.html"))
    assert {path.parent.name for path in files} == {pages.name, *LANGUAGES}
    for path in files:
        page = path.read_text(encoding="utf-8")
        for link in re.findall(r'\b(?:href|src|data-href)="([^"]*)"', page):
            if link.startswith(("#", "data:")) or any(f"/{slug}.html" in link for slug in READY if slug != "neuron"):
                continue
            assert (path.parent / link.partition("#")[0]).is_file(), (path.name, link)
    style = (pages / "static" / "style.css").read_text(encoding="utf-8")
    for link in re.findall(r"url\(([^)]*)\)", style):
        assert (pages / "static" / link).is_file() or link.startswith('"data:')


def test_the_gallery_asks_for_nothing_outside(pages):
    for path in pages.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert gallery.POLICY in page
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
    for path in pages.rglob("*.js"):
        script = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(?:import|export)\b", script, re.MULTILINE)
        assert not re.search(r"\bfetch\(|XMLHttpRequest|https://", script)


@languages
def test_the_gallery_holds_what_was_computed(pages, language):
    page = (pages / language / "neuron.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    kept = data["kept"]
    assert kept["claim"]["ring"]["holds"]
    assert kept["predict"]["lines"]["right"] == ["A", "D"]
    assert kept["experiment"]["bound"]["done"] == kept["experiment"]["bound"]["total"]
    assert "すべての点" in page if language == "ja" else "All points" in page


def test_every_script_of_a_page_is_bundled():
    for entry in ("home", "lesson", "recall"):
        text = gallery.bundled(entry)
        made, used = re.findall(r"^const module_(\w+) =", text, re.MULTILINE), re.findall(r"= module_(\w+);", text)
        assert made[-1] == entry
        assert len(made) == len(set(made))
        for name in used:
            assert text.index(f"const module_{name} =") < text.index(f"= module_{name};")


def test_the_gallery_needs_a_folder_of_its_own(run, tmp_path):
    (tmp_path / "mine.txt").write_text("")
    assert "holds other files" in complaint(run("learn", "--gallery", tmp_path))
    assert (tmp_path / "mine.txt").exists()


def test_the_gallery_opens_in_a_browser(pages):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    errors, asked = [], []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and errors.append(m.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((pages / "index.html").as_uri())
        page.wait_for_url("**/en/index.html")
        page.click("li[data-slug=neuron] a")
        assert not page.is_visible("#move")
        page.click("[data-prediction] .opt")
        page.click("[data-prediction] .commit button")
        page.wait_for_selector("#move", state="visible")
        assert "200 sets, and 0 above" in page.inner_text("[data-experiment] figcaption")
        assert page.locator("[data-claim] .charts svg").count() == 4
        assert (
            page.locator("[data-control] input:not(:disabled), [data-exercise] .row .btn:not(:disabled)").count() == 0
        )
        assert page.locator(".grab").count() == 0
        assert "ichikara learn" in page.inner_text(".problem")
        page.click("#language")
        page.wait_for_url("**/ja/neuron.html*")
        browser.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
