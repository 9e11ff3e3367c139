"""The web kit: layout, macros, forms, languages and security of every page."""
