"""The directory as RDF, in the profile DCAT-AP 3.0."""
