"""A simulated fleet that speaks the protocols of mesh-llm and Agent Lightning on loopback.

The exporter knows nothing of it: it polls it like any other fleet.
"""

from exporter.demo.fleet import Demo
from exporter.demo.simulation import DemoOptions, Simulation, simulate

__all__ = ["Demo", "DemoOptions", "Simulation", "simulate"]
