"""The optimisers by their names: their options, formulas and states. The updates are in `rules`."""

import functools
import inspect
from typing import Any, get_type_hints

from ..arrays import namespace
from ..autodiff import raw
from ..errors import UserError
from ..pytorch_names import accept
from . import rules
from .checks import AtLeast0, Decays, Number, YesOrNo
from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


# Arguments of PyTorch's that do nothing here; in the order of PyTorch's, where they may be given by position.
_OF_PYTORCH = {"RMSprop": "capturable foreach maximize differentiable"}
_OF_OTHERS = "foreach capturable differentiable fused decoupled_weight_decay"


def _options_in_signature(cls):
    """Make each argument of the constructor after ``params`` an option, with the check that its annotation names."""
    constructor = cls.__init__
    signature = inspect.signature(constructor)
    options = {name: p for name, p in signature.parameters.items() if name not in ("self", "params")}
    cls.checks = {name: p.annotation.__metadata__[0] for name, p in options.items()}
    constructor.__annotations__ = get_type_hints(constructor)  # help() then shows the types without their checks

    @functools.wraps(constructor)
    def __init__(self, *args, **kwargs):
        constructor(self, *args, **kwargs)  # arguments that do not fit raise Python's own error
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        Optimizer.__init__(self, given.arguments["params"], {name: given.arguments[name] for name in options})

    cls.__init__ = __init__
    accept(cls, _OF_PYTORCH.get(cls.__name__, _OF_OTHERS))
    return cls


@_options_in_signature
class SGD(Optimizer):
    r"""Stochastic gradient descent, with optional momentum.

    .. math::
        g_t &= \nabla_\theta L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
        v_t &= \mu\,v_{t-1} + (1 - \tau)\,g_t, \qquad v_1 = g_1 \\
        \theta'_t &= \theta_{t-1} - \eta \cdot
            \begin{cases} g_t & \mu = 0 \\ v_t & \text{momentum} \\ g_t + \mu\,v_t & \text{Nesterov} \end{cases} \\
        \theta_t &= \operatorname{sign}(\theta'_t) \max(|\theta'_t| - \eta\,\lambda_1, 0)

    Shapes: ``momentum_buffer`` v has the parameter's.

    Arguments: ``params``, as of `Optimizer`; ``lr`` η, the step per unit of gradient; ``momentum`` μ, the decay of the
    velocity; ``dampening`` τ, by how much a new gradient is reduced in the velocity; ``weight_decay`` λ, the strength
    of the L2 penalty, coupled: it is part of the gradient; ``nesterov``, for Nesterov's momentum; ``maximize``, whether
    to maximise; ``l1`` λ₁, the strength of the L1 penalty, which makes parameters exactly 0: see `optim.rules`.

    Errors: `UserError` for a negative ``lr``, ``momentum``, ``weight_decay`` or ``l1``, and for ``nesterov`` without
    momentum or with dampening.

    >>> import ichikara
    >>> w = ichikara.asarray(4.0, requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(60):
    ...     optimizer.zero_grad()
    ...     (w * w).backward()
    ...     optimizer.step()
    >>> abs(w.item()) < 0.3
    True

    Source: H. Robbins and S. Monro (1951); B. Polyak (1964); the Nesterov form of I. Sutskever et al., "On the
    importance of initialization and momentum in deep learning" (2013); as ``torch.optim.SGD``.
    """

    rule = rules.sgd
    memory = ("momentum_buffer",)

    def __init__(
        self,
        params: Any,
        lr: AtLeast0 = 1e-3,
        momentum: AtLeast0 = 0.0,
        dampening: Number = 0.0,
        weight_decay: AtLeast0 = 0.0,
        nesterov: YesOrNo = False,
        *,
        maximize: YesOrNo = False,
        l1: AtLeast0 = 0.0,
    ): ...

    def _check_together(self, options):
        if options["nesterov"] and (not options["momentum"] or options["dampening"]):
            raise UserError(
                "Nesterov's momentum needs a momentum above 0 and no dampening; these are "
                f"momentum={options['momentum']} and dampening={options['dampening']}"
            )

    def _needed(self, options):
        # With dampening the first velocity is the first gradient, and no running mean that starts at 0.
        return self.memory if options["momentum"] and not options["dampening"] else ()


@_options_in_signature
class Adagrad(Optimizer):
    r"""Each component's step shrinks with the sum of its squared gradients: rare components keep long steps.

    .. math::
        g_t &= \nabla_\theta L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
        s_t &= s_{t-1} + g_t^2, \qquad s_0 = \text{the initial accumulator value} \\
        \eta_t &= \frac{\eta}{1 + (t - 1)\,\gamma} \\
        \theta'_t &= \theta_{t-1} - \eta_t \cdot \frac{g_t}{\sqrt{s_t} + \varepsilon} \\
        \theta_t &= \operatorname{sign}(\theta'_t) \max(|\theta'_t| - \eta_t\,\lambda_1, 0)

    Shapes: ``sum`` s has the parameter's, ``step`` t has ().

    Arguments: ``params``, as of `Optimizer`; ``lr`` η, the length of the first step; ``lr_decay`` γ, the decay of the
    rate at each step; ``weight_decay`` λ, the strength of the L2 penalty, coupled; ``initial_accumulator_value`` s₀;
    ``eps`` ε, which avoids a division by 0; ``maximize``, whether to maximise; ``l1`` λ₁, the strength of the L1
    penalty, which makes parameters exactly 0: see `optim.rules`.

    Errors: `UserError` for any of them below 0.

    >>> import ichikara
    >>> w = ichikara.asarray([1.0, 1.0], requires_grad=True)
    >>> (w * ichikara.asarray([100.0, 0.01])).sum().backward()
    >>> Adagrad([w], lr=0.5).step()
    >>> w  # equal steps, however large the gradients
    Tensor([0.5, 0.5], requires_grad=True)

    Source: J. Duchi, E. Hazan and Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization" (2011); as ``torch.optim.Adagrad``.
    """

    rule = rules.adagrad
    memory = ("step", "sum")

    def __init__(
        self,
        params: Any,
        lr: AtLeast0 = 1e-2,
        lr_decay: AtLeast0 = 0.0,
        weight_decay: AtLeast0 = 0.0,
        initial_accumulator_value: AtLeast0 = 0.0,
        eps: AtLeast0 = 1e-10,
        *,
        maximize: YesOrNo = False,
        l1: AtLeast0 = 0.0,
    ): ...

    def initial_state(self, parameter, options):
        array = raw(parameter)
        full = namespace(array).full_like(array, options["initial_accumulator_value"])
        return {**super().initial_state(parameter, options), "sum": full}


@_options_in_signature
class RMSprop(Optimizer):
    r"""The gradient divided by the root of the running mean of its square, so that all steps are about as long.

    .. math::
        g_t &= \nabla_\theta L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
        v_t &= \alpha\,v_{t-1} + (1 - \alpha)\,g_t^2 \\
        \tilde v_t &= \begin{cases} v_t \\ v_t - m_t^2, \quad m_t = \alpha\,m_{t-1} + (1 - \alpha)\,g_t
            & \text{centered} \end{cases} \\
        b_t &= \mu\,b_{t-1} + \frac{g_t}{\sqrt{\tilde v_t} + \varepsilon} \\
        \theta'_t &= \theta_{t-1} - \eta\,b_t \\
        \theta_t &= \operatorname{sign}(\theta'_t) \max(|\theta'_t| - \eta\,\lambda_1, 0)

    Shapes: ``square_avg`` v, ``grad_avg`` m and ``momentum_buffer`` b have the parameter's, ``step`` has ().

    Arguments: ``params``, as of `Optimizer`; ``lr`` η, the length of a step; ``alpha`` α, the decay of the running
    means; ``eps`` ε, which avoids a division by 0; ``weight_decay`` λ, the strength of the L2 penalty, coupled;
    ``momentum`` μ; ``centered``, whether to divide by the standard deviation; ``maximize``, whether to maximise; ``l1``
    λ₁, the strength of the L1 penalty, which makes parameters exactly 0: see `optim.rules`.

    Errors: `UserError` for any of them below 0.

    >>> import ichikara
    >>> w = ichikara.asarray([1.0, 1.0], requires_grad=True)
    >>> (w * ichikara.asarray([100.0, 0.01])).sum().backward()
    >>> RMSprop([w], lr=0.05).step()
    >>> ichikara.round(w * 1000) / 1000
    Tensor([0.5, 0.5])

    Source: T. Hinton's lecture 6e (2012); centered: A. Graves (2013), arXiv:1308.0850; as ``torch.optim.RMSprop``.
    """

    rule = rules.rmsprop
    memory = ("step", "square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Any,
        lr: AtLeast0 = 1e-2,
        alpha: AtLeast0 = 0.99,
        eps: AtLeast0 = 1e-8,
        weight_decay: AtLeast0 = 0.0,
        momentum: AtLeast0 = 0.0,
        centered: YesOrNo = False,
        *,
        maximize: YesOrNo = False,
        l1: AtLeast0 = 0.0,
    ): ...

    def _needed(self, options):
        wanted = {"grad_avg": options["centered"], "momentum_buffer": options["momentum"]}
        return tuple(name for name in self.memory if wanted.get(name, True))


@_options_in_signature
class Adam(Optimizer):
    r"""Momentum, and a separate step size for each component.

    .. math::
        g_t &= \nabla_\theta L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1)\,g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2)\,g_t^2 \\
        \tilde v_t &= \begin{cases} v_t \\ \max(\tilde v_{t-1}, v_t) & \text{AMSGrad} \end{cases} \\
        \hat m_t &= m_t / (1 - \beta_1^t), \qquad \hat v_t = \tilde v_t / (1 - \beta_2^t) \\
        \theta'_t &= \theta_{t-1} - \eta\,\hat m_t / (\sqrt{\hat v_t} + \varepsilon) \\
        \theta_t &= \operatorname{sign}(\theta'_t) \max(|\theta'_t| - \eta\,\lambda_1, 0)

    The hats correct the bias of running means that start at 0. The weight decay is coupled: it is divided by the
    gradient's size like all of g, and hardly shrinks a parameter with large gradients; see `AdamW`.

    Shapes: ``exp_avg`` m, ``exp_avg_sq`` v and ``max_exp_avg_sq`` ṽ have the parameter's, ``step`` t has ().

    Arguments: ``params``, as of `Optimizer`; ``lr`` η, the length of a step; ``betas`` β₁ and β₂, the decays of the two
    running means; ``eps`` ε, which avoids a division by 0; ``weight_decay`` λ, the strength of the L2 penalty;
    ``amsgrad``, whether v never decreases, so that a rare large gradient has a lasting effect; ``maximize``, whether to
    maximise; ``l1`` λ₁, the strength of the L1 penalty, which makes parameters exactly 0: see `optim.rules`.

    Errors: `UserError` for ``betas`` outside of [0, 1), for the others below 0.

    >>> import ichikara
    >>> w = ichikara.asarray([4.0, -4.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     (w * w * ichikara.asarray([1.0, 100.0])).sum().backward()
    ...     optimizer.step()
    >>> bool((abs(w) < 0.1).all())
    True

    Source: D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization" (2015); AMSGrad: S. Reddi, S. Kale and
    S. Kumar, "On the Convergence of Adam and Beyond" (2018); as ``torch.optim.Adam``.
    """

    rule = rules.adam
    memory = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: AtLeast0 = 1e-3,
        betas: Decays = (0.9, 0.999),
        eps: AtLeast0 = 1e-8,
        weight_decay: AtLeast0 = 0.0,
        amsgrad: YesOrNo = False,
        *,
        maximize: YesOrNo = False,
        l1: AtLeast0 = 0.0,
    ): ...

    def _needed(self, options):
        return self.memory if options["amsgrad"] else self.memory[:3]


@_options_in_signature
class AdamW(Adam):
    r"""Adam with a decoupled weight decay: it shrinks all parameters equally, whatever their gradients.

    .. math::
        \theta'_t &= \theta_{t-1} - \eta\,\lambda\,\theta_{t-1} - \eta\,\hat m_t / (\sqrt{\hat v_t} + \varepsilon)
            \qquad \text{with } \hat m, \hat v \text{ of } g_t = \nabla_\theta L(\theta_{t-1}) \text{ as in Adam} \\
        \theta_t &= \operatorname{sign}(\theta'_t) \max(|\theta'_t| - \eta\,\lambda_1, 0)

    Under plain descent it makes no difference whether a penalty is in the gradient (*coupled*) or shrinks the parameter
    (*decoupled*). Under Adam it does: what is in the gradient is divided by its size.

    Shapes and arguments: as `Adam`; ``weight_decay`` λ is 0.01 unless said otherwise.

    Errors: as `Adam`.

    >>> import ichikara
    >>> w = ichikara.asarray([1.0, 1.0], requires_grad=True)
    >>> w.grad = ichikara.asarray([0.0, 0.0])
    >>> AdamW([w], lr=0.1, weight_decay=0.5).step()
    >>> w
    Tensor([0.95, 0.95], requires_grad=True)

    Source: I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization" (2019); as ``torch.optim.AdamW``.
    """

    rule = rules.adamw

    def __init__(
        self,
        params: Any,
        lr: AtLeast0 = 1e-3,
        betas: Decays = (0.9, 0.999),
        eps: AtLeast0 = 1e-8,
        weight_decay: AtLeast0 = 1e-2,
        amsgrad: YesOrNo = False,
        *,
        maximize: YesOrNo = False,
        l1: AtLeast0 = 0.0,
    ): ...
