"""Which receiver a URL belongs to: from the cluster, from the settings, or from what was known before."""
