"""Facts, alarms, metrics, and the verification of the log."""
