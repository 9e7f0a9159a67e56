"""Where a register comes from, one file for each kind of source."""
