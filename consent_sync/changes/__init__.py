"""What changed in the register, and which changes wait for a person. Pure."""
