"""Files and batches under an agreement: sent in parts, published whole, fetched in parts."""
