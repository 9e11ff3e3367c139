"""Other platforms' catalogues, read again and again and shown below an agency."""
