"""What has no query: text, and the headers of rows."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import text as text_panel
from grafana_foundation_sdk.models.text import TextMode

from grafana.panels.parts import Panel, Size, finished


@dataclass(frozen=True)
class Row:
    """The header of the lines below it."""

    title: str


def text(title: str, description: str, content: str, size: Size) -> Panel:
    """Markdown; variables such as `$node` are put in."""
    builder = text_panel.Panel().mode(TextMode.MARKDOWN).content(content)
    return finished(builder, title, description, size, unit=None, empty=content)
