"""Who may be seen and heard, and why: the protocol as code. Pure."""
