"""Doctor, backup, setup and the service manager."""
