"""From a queued item to a recorded decision."""
