"""The exporter between real Prometheuses, a fleet and clients that all misbehave, for a given time."""
