"""What was used, by the hour: calls, checks, published data sets."""
