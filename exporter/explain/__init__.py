"""Why a node is in its state: found by its name, answered as JSON, and printed for a person."""
