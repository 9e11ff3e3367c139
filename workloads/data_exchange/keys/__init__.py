"""The keys with which agencies, and the exchange itself, sign."""
