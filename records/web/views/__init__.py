"""Pages by topic. Each view parses, calls one service, and renders."""
