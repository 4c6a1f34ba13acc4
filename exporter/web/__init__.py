"""TLS and authentication, from a file in the format of Prometheus' exporters (exporter-toolkit's web-configuration)."""
