"""Who exchanges with whom: volume, latency and failures, by the hour and by the day."""
