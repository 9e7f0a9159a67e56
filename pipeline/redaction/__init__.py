"""What is covered and how, in photos and films, and whether a result may go out. Pure (numpy)."""
