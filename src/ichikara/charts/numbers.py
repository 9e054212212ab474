"""Numbers as short texts, and how wide a text is."""

import math
from unicodedata import combining, east_asian_width

__all__ = ["fixed_text", "power_text", "short_text", "text_width"]

_RAISED = str.maketrans("-−0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALL = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀ₀₁₂₃₄₅₆₇₈₉₊₋ₐₑᵢⱼₖₗₘₙₒₚₜₓ′")
_NARROW, _WIDE = frozenset("iljItfr.,:;|!'()[]{}·/ -"), frozenset("mwMWQO@%∂∇×→≈ΣΠ")


def power_text(exponent: int) -> str:
    """A power of ten.

    >>> power_text(-3), power_text(0), power_text(1)
    ('10⁻³', '1', '10')
    """
    return {0: "1", 1: "10"}.get(exponent) or "10" + str(exponent).translate(_RAISED)


def short_text(value: float, digits: int = 3) -> str:
    """A number with few digits: plain between 0.001 and 100,000, else with a power of ten.

    Arguments: ``digits``, significant ones; zeros at the end are left out.

    >>> [short_text(value) for value in (0.12345, -2.0, 1234.5, 3.2e-7, 1e6, float("nan"))]
    ['0.123', '−2', '1234', '3.2·10⁻⁷', '10⁶', 'NaN']
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, _, power = f"{abs(value):.{digits - 1}e}".partition("e")
    exponent = int(power)
    if -4 < exponent < 5:
        text = f"{abs(value):.{max(digits - 1 - exponent, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = power_text(exponent) if mantissa == "1" else f"{mantissa}·{power_text(exponent)}"
    return f"−{text}" if value < 0 else text


def fixed_text(value: float, digits: int = 2) -> str:
    """A number with so many decimals, so that nothing jumps when it changes; zero has no sign.

    >>> fixed_text(-1.5), fixed_text(-0.001), fixed_text(2, 1)
    ('−1.50', '0.00', '2.0')
    """
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def text_width(text: str) -> float:
    """About how wide a text is in an upright font without serifs, in units of its height.

    >>> text_width("w⁰₀₁") < text_width("loss") < text_width("損失関数")
    True
    """
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if combining(letter):
        return 0.0
    if letter in _SMALL:
        return 0.42
    if letter in _NARROW:
        return 0.38
    if letter in _WIDE:
        return 0.92
    if east_asian_width(letter) in "WF":
        return 1.0
    return 0.69 if letter.isupper() else 0.63
