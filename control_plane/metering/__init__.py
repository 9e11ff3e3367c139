"""Metering: from a fact ("this server ran from 09:12 to 11:47") to hourly records."""
