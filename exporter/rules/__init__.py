"""Prometheus' rules: templates, and every threshold in them once."""
