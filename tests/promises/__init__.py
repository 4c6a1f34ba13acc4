"""Promises: which test proves each, and what it measured; `docs/RELIABILITY.md` is made of that."""
