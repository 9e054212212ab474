"""Floor 1: charts. A chart is numbers and marks; how it is drawn is decided elsewhere.

`ichikara.plot.draw` draws a chart for files. The pages of the course draw the same chart in the browser.
"""

from .chart import Axis, Chart
from .marks import INKS, Area, Arrows, Bars, Dots, Edge, Graph, Group, Images, Label, Line, Mark, Raster, Vertex

__all__ = [
    "INKS",
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
    "Vertex",
]
