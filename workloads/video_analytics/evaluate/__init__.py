"""How good the analysis is, on anybody's labelled material."""
