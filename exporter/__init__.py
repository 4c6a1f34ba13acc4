"""Rollcall: a Prometheus exporter for AI compute fleets."""

__version__ = "0.1.0"
