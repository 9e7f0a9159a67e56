"""The decision log: its chain, signed copies, sentences and replay."""
