"""Rollcall's own registry: workers of any kind, kept in a file, over LightningStore's protocol."""
