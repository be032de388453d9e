"""The tables of the second paper with our values beside the printed ones, and a verdict on each."""

from reports.weights.tables.page import page

__all__ = ["page"]
