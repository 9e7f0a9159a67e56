"""The parent side of the sandboxed process that reads media."""
