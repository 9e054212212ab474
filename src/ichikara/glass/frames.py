"""A layout with frames: what belongs together is laid out by itself, and stands as one box in what is around it."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from .layout import Layout, Link, layout

__all__ = ["Framed", "framed_layout"]

ROOM = 0.8  # inside a frame's edge
TITLE = 1.4  # for its words
PORT = (0.0, 0.6)  # the size of a place where an edge goes through a frame


class Port(NamedTuple):
    """Where edges of one vertex go through a frame. Arguments: ``side``, "in" or "out"; ``source``, the vertex."""

    side: str
    source: Hashable


@dataclass
class Framed:
    """Arguments: ``centres``, of the boxes; ``frames``, centre x, y, width and height of each; ``ways``, the corners of
    each edge; ``width`` and ``height`` of the whole."""

    centres: dict[Any, tuple[float, float]] = field(default_factory=dict)
    frames: dict[Any, tuple[float, float, float, float]] = field(default_factory=dict)
    ways: list[list[tuple[float, float]]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def framed_layout(
    sizes: Mapping[Any, tuple[float, float]],
    edges: Sequence[tuple[Any, Any]],
    around: Mapping[Any, Any],
    direction: str = "right",
    **gaps: float,
) -> Framed:
    """Lay out a graph whose boxes may stand in frames, and frames in frames.

    Arguments: ``sizes``, ``edges``, ``direction`` and gaps, as of `layout`; ``around``, the frame of a box or a frame,
    where it stands in one. Frames must not make a cycle: no edge leads out of one and, by others, back into it.

    >>> found = framed_layout({"x": (2, 2), "f": (2, 2)}, [("x", "f")], {"f": "layer"})
    >>> sorted(found.centres), list(found.frames)
    (['f', 'x'], ['layer'])
    """
    return _Frames(sizes, edges, around, direction, gaps).arrange()


class _Frames:
    def __init__(self, sizes, edges, around, direction, gaps):
        self.around, self.direction, self.gaps = around, direction, gaps
        self.edges = [*edges]
        self.sizes: dict[Any, tuple[float, float]] = dict(sizes)
        self.children: dict[Any, list[Any]] = {None: []}
        for name in sizes:
            chain = self.chain(name)
            for child, frame in pairwise(chain):
                if child not in self.children.setdefault(frame, []):
                    self.children[frame].append(child)
        self.links: dict[Any, list[tuple[Any, Any, Any]]] = {frame: [] for frame in self.children}
        self.parts = [self._divide(source, target) for source, target in self.edges]
        self.layouts: dict[Any, Layout] = {}
        self.ports: dict[Any, dict[Port, float]] = {}  # of each frame, from its middle

    def chain(self, name: Any) -> list[Any]:
        """A box and the frames around it, the innermost first, None for the whole at the end."""
        found = [name]
        while found[-1] is not None:
            found.append(self.around.get(found[-1]))
        return found

    def _divide(self, source: Any, target: Any) -> list[tuple[Any, int]]:
        """Divide an edge at the frames that it goes through: for each part the frame, and its number there."""
        up, down = self.chain(source), self.chain(target)
        shared = next(frame for frame in up[1:] if frame in down[1:])
        out, into = Port("out", source), Port("in", source)
        parts = []
        outwards, inwards = up[: up.index(shared)], down[: down.index(shared)]  # the last of each stand side by side
        for child, frame in pairwise(outwards):
            parts.append(self._part(frame, child, out, source))
        beside = len(outwards) == len(inwards) == 1
        parts.append(self._part(shared, outwards[-1], inwards[-1], source, beside))
        for frame, child in pairwise(reversed(inwards)):
            parts.append(self._part(frame, into, child, source))
        return parts

    def _part(self, frame: Any, start: Any, end: Any, source: Any, always: bool = False) -> tuple[Any, int]:
        links, link = self.links[frame], (start, end, source)
        if always or link not in links:
            links.append(link)
        return frame, len(links) - 1 if always else links.index(link)

    def arrange(self) -> Framed:
        across = 1 if self.direction == "right" else 0
        for frame in sorted(self.children, key=lambda frame: -len(self.chain(frame))):
            self._lay_out(frame, across)
        found = Framed()
        top = self.layouts[None]
        found.width, found.height = top.width, top.height
        origins = {None: (0.0, 0.0)}
        for frame in sorted(self.children, key=lambda frame: len(self.chain(frame))):
            x, y = origins[frame]
            for child in self.children[frame]:
                left, upper = self.layouts[frame].centres[child]
                centre = x + left, y + upper
                if child in self.children:
                    width, height = self.sizes[child]
                    found.frames[child] = (*centre, width, height)
                    origins[child] = centre[0] - width / 2 + ROOM, centre[1] - height / 2 + ROOM + TITLE
                else:
                    found.centres[child] = centre
        for parts in self.parts:
            way: list[tuple[float, float]] = []
            for frame, number in parts:
                x, y = origins[frame]
                way += [(x + left, y + upper) for left, upper in self.layouts[frame].ways[number]]
            found.ways.append(way)
        return found

    def _lay_out(self, frame: Any, across: int) -> None:
        links = self.links[frame]
        ports = dict.fromkeys(end for link in links for end in link[:2] if isinstance(end, Port))
        sizes = {child: self.sizes[child] for child in self.children[frame]}
        sizes |= dict.fromkeys(ports, PORT if across else PORT[::-1])
        joined = []
        for start, end, source in links:
            leaves = self.ports.get(start, {}).get(Port("out", source), 0.0)
            enters = self.ports.get(end, {}).get(Port("in", source), 0.0)
            joined.append(Link(start, end, leaves, enters))
        first, last = ([port for port in ports if port.side == side] for side in ("in", "out"))
        found = layout(sizes, joined, self.direction, first=first, last=last, **self.gaps)
        self.layouts[frame] = found
        width, height = found.width + 2 * ROOM, found.height + 2 * ROOM + TITLE
        self.sizes[frame] = width, height
        middle = (width / 2 - ROOM, height / 2 - ROOM - TITLE)[across]
        self.ports[frame] = {port: found.centres[port][across] - middle for port in ports}
