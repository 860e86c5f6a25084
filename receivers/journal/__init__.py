"""What is told of each delivery: its row, where rows are kept, and what is done with them later."""
