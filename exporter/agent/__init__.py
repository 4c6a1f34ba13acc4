"""A worker's side of the registry: what it does, its heartbeats, its machine, and a program that it runs."""
