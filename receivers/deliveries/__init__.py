"""One delivery: what it means for the Warehouses, their refreshes, and the answer."""
