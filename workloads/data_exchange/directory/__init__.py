"""What data there is: catalogues, data sets, their elements and their services (DCAT-AP 3)."""
