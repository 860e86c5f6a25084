"""Whether Kargo has found what was pushed, and asking it again where it has not."""
