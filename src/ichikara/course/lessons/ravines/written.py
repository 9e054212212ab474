"""The rules of lesson 12 written out with the numbers of a step."""

import math

__all__ = ["adam", "momentum", "rmsprop"]


def tex(value):
    """A number as LaTeX, with three digits."""
    if not math.isfinite(value):
        return r"\infty"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    plain = value == 0 or -3 <= int(exponent) <= 3
    text = f"{value:.3f}" if plain else rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
    return f"{{{text}}}" if value < 0 else text


def term(name, value):
    text = f"{value:g}" if value >= 1e-4 else tex(value)
    return rf"\class{{{name}}}{{{text}}}"


def braced(value):
    text = tex(value)
    return f"({{{text}}})" if value < 0 or "cdot" in text else text


def quotient(top, root, eps):
    return rf"\frac{{{tex(top)}}}{{{tex(math.sqrt(root) + eps)}}}" if math.isfinite(root) else tex(root)


def momentum(g, before, after, old, v, rate, beta):
    """Momentum: the old and new velocity, the place before and after the step."""
    return (
        rf"v & \leftarrow & \class{{beta}}{{\beta}} v + g \\"
        rf" & = & {term('beta', beta)} \cdot {braced(old)} + {braced(g)} = {tex(v)} \\"
        rf"x & \leftarrow & x - \class{{momentum}}{{\eta}} v \\"
        rf" & = & {tex(before)} - {term('momentum', rate)} \cdot {braced(v)} = {tex(after)}"
    )


def rmsprop(g, before, after, old, s, rate, alpha, eps):
    """RMSProp: the old and new mean of squares, the place before and after the step."""
    rest = rf"\class{{alpha}}{{{1 - alpha:.3g}}}"
    return (
        r"s & \leftarrow & \class{alpha}{\alpha} s + (1 - \class{alpha}{\alpha}) g^2 \\"
        rf" & = & {term('alpha', alpha)} \cdot {tex(old)} + {rest} \cdot {braced(g)}^2 = {tex(s)} \\"
        r"x & \leftarrow & x - \class{rmsprop}{\eta} \frac{g}{\sqrt{s} + \class{eps}{\varepsilon}} \\"
        rf" & = & {tex(before)} - {term('rmsprop', rate)} \cdot {quotient(g, s, eps)} = {tex(after)}"
    )


def adam(step, before, after, m, v, rate, betas, eps):
    """Adam: the means of gradients and of squares, and the place before and after the step."""
    m_hat, v_hat = m / (1 - betas[0] ** step), v / (1 - betas[1] ** step)
    hat = lambda letter, beta: (
        rf"\frac{{{letter}}}{{1 - \class{{{beta}}}{{\beta_{beta[-1]}}}^{{\class{{t}}{{{step}}}}}}}"
    )
    return (
        rf"m & \leftarrow & \class{{beta1}}{{\beta_1}} m + (1 - \class{{beta1}}{{\beta_1}}) g = {tex(m)} \\"
        rf"v & \leftarrow & \class{{beta2}}{{\beta_2}} v + (1 - \class{{beta2}}{{\beta_2}}) g^2 = {tex(v)} \\"
        rf"\hat m & = & {hat('m', 'beta1')} = {tex(m_hat)} \\ \hat v & = & {hat('v', 'beta2')} = {tex(v_hat)} \\"
        r"x & \leftarrow & x - \class{adam}{\eta} \frac{\hat m}{\sqrt{\hat v} + \class{eps}{\varepsilon}} \\"
        rf" & = & {tex(before)} - {term('adam', rate)} \cdot {quotient(m_hat, v_hat, eps)} = {tex(after)}"
    )
