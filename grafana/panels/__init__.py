"""The pieces a dashboard is made of; nothing outside this package knows the types of the Grafana Foundation SDK."""

from grafana.panels.board import Board, Line, rendered
from grafana.panels.charts import bar_gauge, heat_map, stat, time_series
from grafana.panels.graphs import hub_graph, ring_graph
from grafana.panels.notes import Row, text
from grafana.panels.parts import DURATION, MOMENT, NO_EXPORTER, Link, Panel, Series, Size
from grafana.panels.tables import Column, Gather, table
from grafana.panels.timelines import state_timeline

__all__ = [
    "DURATION",
    "MOMENT",
    "NO_EXPORTER",
    "Board",
    "Column",
    "Gather",
    "Line",
    "Link",
    "Panel",
    "Row",
    "Series",
    "Size",
    "bar_gauge",
    "heat_map",
    "hub_graph",
    "rendered",
    "ring_graph",
    "stat",
    "state_timeline",
    "table",
    "text",
    "time_series",
]
