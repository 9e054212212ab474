"""The doctor's words: complete in both languages, with the same places, and lessons that there are."""

import string

import pytest

from ichikara.glass.doctor import CAUSE_UNKNOWN
from ichikara.glass.finding import Diagnosis, Finding
from ichikara.glass.rules.rule import RULES
from ichikara.words import LANGUAGES, texts

PARTS = ("title", "seen", "cause", "cure")


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("subject", ["doctor", "lessons"])
def test_every_text_is_there_in_both_languages_with_the_same_places(subject):
    for name, text in texts(subject).items():
        assert text.keys() == LANGUAGES.keys(), name
        assert all(part.strip() for part in text.values()), name
        assert len({frozenset(places(part)) for part in text.values()}) == 1, name


@pytest.mark.parametrize("name", [*RULES, *CAUSE_UNKNOWN])
def test_every_rule_has_its_words(name):
    for part in PARTS:
        assert f"{name}.{part}" in texts("doctor")
    if name in RULES:
        assert f"topic.{name}" in texts("doctor")
        assert f"{RULES[name].lesson}.title" in texts("lessons")


def test_no_words_are_left_over():
    known = {"frame", "topic", "unjudged", *RULES, *CAUSE_UNKNOWN}
    assert {name.partition(".")[0] for name in texts("doctor")} == known
    assert {name.partition(".")[2] for name in texts("doctor") if name.startswith("topic.")} == set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_explains_rules_that_there_are_and_its_needs_have_reasons(rule):
    assert set(rule.explains) <= set(RULES) - {rule.name}
    for need in rule.needs:
        assert f"unjudged.no_{need}" in texts("doctor")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_diagnosis_as_text_and_as_values(language):
    evidence = {"rate": 3.0, "ratio": 2.0, "jump": 40.0}
    dead = Finding("dead_relu", "certain", {"share": 1.0, "first": 0.2}, "1", lesson="vanishing")
    root = Finding("rate_too_high", "certain", evidence, "", 3, "train.py:12", "descent", ("dead_relu",))
    diagnosis = Diagnosis([root], [dead], {"overfitting": "no_validation", "both_sides": "no_validation"})
    text = diagnosis.text(language)
    for part in (root.title(language), root.cure(language), dead.title(language), "train.py:12", "descent"):
        assert part in text
    assert dead.cause(language) not in text
    assert text.count(texts("doctor")["unjudged.no_validation"][language]) == 1
    assert diagnosis.to_dict(language)["findings"][0]["title"] == root.title(language)
    assert texts("doctor")["frame.none"][language] in Diagnosis().text(language)
