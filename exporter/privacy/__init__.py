"""Names of mesh-llm's nodes, hosts and consoles, replaced where records are made: nothing behind that knows them."""
