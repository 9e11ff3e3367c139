"""Keys, signatures and Merkle trees: pure, without database, network or clock."""
