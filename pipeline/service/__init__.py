"""The running service: one loop."""
