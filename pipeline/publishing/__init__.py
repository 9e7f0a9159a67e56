"""Publish, recall and expire."""
