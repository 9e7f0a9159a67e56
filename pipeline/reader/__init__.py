"""The sandboxed process itself: all decoding and encoding, and its confinement."""
