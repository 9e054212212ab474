"""Floor 1: charts. A chart is numbers and marks; how it is drawn is decided elsewhere.

`ichikara.plot.draw` draws a chart for files. The pages of the course draw the same chart in the browser.
"""

from .chart import Axis, Chart
from .graph import KINDS, Edge, Graph, Group, Vertex
from .marks import INKS, SHAPES, Area, Arrows, Bars, Dots, Images, Label, Line, Mark, Raster, Rule
from .numbers import fixed_text, power_text, short_text, text_width
from .ticks import Tick, ticks_between

__all__ = [
    "INKS",
    "KINDS",
    "SHAPES",
    "Area",
    "Arrows",
    "Axis",
    "Bars",
    "Chart",
    "Dots",
    "Edge",
    "Graph",
    "Group",
    "Images",
    "Label",
    "Line",
    "Mark",
    "Raster",
    "Rule",
    "Tick",
    "Vertex",
    "fixed_text",
    "power_text",
    "short_text",
    "text_width",
    "ticks_between",
]
