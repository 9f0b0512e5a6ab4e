"""The state of the chain and of the programs around it, for pages, probes and operators."""
