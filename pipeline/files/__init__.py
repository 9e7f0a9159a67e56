"""Every move, rename, seal and deletion on disk, and the keys."""
