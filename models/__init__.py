"""What the machine sees: face detectors and face recognisers, and their weights."""
