"""What was used, by the hour: calls, checks, licences, published data sets."""
