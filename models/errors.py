"""What goes wrong with engines."""


class EngineError(Exception):
    """An engine is unknown, its weights are missing or altered, or it returned what it may not return."""
