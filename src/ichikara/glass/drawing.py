"""Boxes and what connects them, before and after they are laid out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..charts import Edge, Graph, Group, text_width
from ..charts import Vertex as Box
from .frames import framed_layout

__all__ = ["Drawing"]


@dataclass
class Drawing:
    """Arguments: ``boxes``, whose places are not known yet; ``edges``, by the keys of the boxes that they connect, and
    a number; ``around``, the frame of a box or a frame, where it stands in one; ``titles``, of the frames."""

    boxes: Mapping[Any, Box]
    edges: Mapping[tuple[Any, Any, int], Edge]
    around: Mapping[Any, Any] = field(default_factory=dict)
    titles: Mapping[Any, str] = field(default_factory=dict)

    def graph(self, direction: str) -> Graph:
        """The mark of a chart."""
        boxes = {key: _sized(box) for key, box in self.boxes.items()}
        sizes = {key: box.outer_size(direction) for key, box in boxes.items()}
        ends = [(start, end) for start, end, _ in self.edges]
        gap = (2.4 if direction == "right" else 1.8) + 1.6 * any(edge.label for edge in self.edges.values())
        found = framed_layout(sizes, ends, self.around, direction, layer_gap=gap, gap=0.5)
        vertices = [replace(box, x=found.centres[key][0], y=found.centres[key][1]) for key, box in boxes.items()]
        edges = []
        for edge, way, (start, end) in zip(self.edges.values(), found.ways, ends, strict=True):
            if direction == "right":  # up to the boxes, past values that are wider
                way[0] = found.centres[start][0] + boxes[start].width / 2, way[0][1]
                way[-1] = found.centres[end][0] - boxes[end].width / 2, way[-1][1]
            edges.append(replace(edge, points=tuple(way)))
        groups = [Group(_line(self.titles[frame]), *place) for frame, place in found.frames.items()]
        return Graph(vertices, edges, groups, direction)

    def mermaid(self, direction: str) -> str:
        """The text that Mermaid draws."""
        lines = [f"flowchart {'LR' if direction == 'right' else 'TD'}", *self._mermaid(None, "  ")]
        for edge in self.edges.values():
            arrow = "-.->" if edge.dashed else "-->"
            label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
            lines.append(f"  {edge.source} {arrow}{label} {edge.target}")
        return "\n".join(lines)

    def _mermaid(self, frame: Any, indent: str) -> list[str]:
        shapes = {"operation": ("(", ")"), "output": ("([", "])"), "module": ("[[", "]]")}
        lines = []
        for key, box in self.boxes.items():
            if self.around.get(key) is frame:
                words = [*box.text.split("\n"), box.value, f"∂ {box.gradient}" if box.gradient else ""]
                left, right = shapes.get(box.kind, ("[", "]"))
                text = "<br>".join(map(_escaped, filter(None, words)))
                lines.append(f'{indent}{box.name}{left}"{text}"{right}')
        for number, inner in enumerate(self.titles):
            if self.around.get(inner) is frame:
                lines.append(f'{indent}subgraph s{number}["{_escaped(_line(self.titles[inner]))}"]')
                lines += [*self._mermaid(inner, indent + "  "), f"{indent}end"]
        return lines


def _sized(box: Box) -> Box:
    lines = box.text.split("\n")
    width = max(map(text_width, lines)) + 1.4
    return replace(box, width=max(width, 1.9), height=0.7 + 1.25 * len(lines))


def _line(text: str) -> str:
    return text.replace("\n", "  ")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
