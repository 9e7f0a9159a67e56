"""Measurements that others can repeat. Every program takes --json and then prints one JSON object last."""
