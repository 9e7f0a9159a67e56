"""The way of a file, from the inbox to the publish folder."""
