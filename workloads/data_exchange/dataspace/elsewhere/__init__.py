"""What other participants offer: their catalogues, asked for, kept, and read in words."""
