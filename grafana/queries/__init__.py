"""The queries of the dashboards, by what they ask; one module per dashboard, and what they share.

Every query takes the maximum over instance and job first: two exporters that watch one fleet count once. Where nothing
matches, a count is 0 as long as some exporter is there to say so, and nothing once there is none.
"""
