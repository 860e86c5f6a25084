"""Deliveries that could not be refreshed in time: where they wait, and their later tries."""
