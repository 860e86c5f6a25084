"""What Kargo means: receivers, URLs, versions, subscriptions and who is concerned by a push. No I/O."""
