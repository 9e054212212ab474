"""Floor 5: a whole step, recorded once and replayed. `ichikara.stage` is this package, and to call it is `stage`."""

import sys
from types import ModuleType

from .staged import Staged, stage

__all__ = ["Staged", "stage"]


class _Stage(ModuleType):
    """A package that can be called: ``ichikara.stage(step)`` is ``ichikara.stage.stage(step)``."""

    def __call__(self, step):
        return stage(step)


sys.modules[__name__].__class__ = _Stage
