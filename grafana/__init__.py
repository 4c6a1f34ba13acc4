"""Dashboards as code: `python -m grafana.build` writes dashboards/*.json from the queries and panels here."""
