"""The Storage account, and how things are kept there without delaying a delivery: queues, tables, writing behind."""
