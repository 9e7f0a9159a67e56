"""Values that pass between rooms, states, names, and their JSON forms. Pure; imports nothing else of the project."""
