"""What senders have in common: JSON by the rules of Go, proofs, commits, claims. No I/O."""
