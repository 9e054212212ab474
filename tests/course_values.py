"""Values for a lesson's controls, and verdicts on answers; with Python's own library alone."""

from ichikara.course import computed
from ichikara.course.controls import Choice, Curve, Drawing, Matrix, Points, Slider, Switch


def random_value(control, draw):
    if isinstance(control, Slider):
        value = draw.choice([control.low, control.high, draw.uniform(control.low, control.high)])
        return int(value) if isinstance(control.value, int) else value
    if isinstance(control, Choice):
        return draw.choice(control.options)
    if isinstance(control, Switch):
        return draw.random() < 0.5
    if isinstance(control, Points):
        count = len(control.value)
        place = lambda: draw.uniform(control.low, control.high)
        return [[place(), place(), draw.randrange(control.kinds)] for _ in range(count)]
    if isinstance(control, Curve):
        return [draw.uniform(control.low, control.high) for _ in control.value]
    if isinstance(control, Matrix):
        return [[draw.uniform(control.low, control.high) for _ in row] for row in control.value]
    if isinstance(control, Drawing):
        return [[draw.random() for _ in range(control.columns)] for _ in range(control.rows)]
    return control.value


def verdict(exercise, answer):
    return computed.verdict(exercise, answer)[0] or None
