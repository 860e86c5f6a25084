"""Deliveries to try a receiver with: what its sender would post after a push that one of its Warehouses wants."""
