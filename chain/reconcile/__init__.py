"""Compares rows with the chain, and repairs what differs."""
