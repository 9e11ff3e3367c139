"""Every macro of the web kit on one page, with made-up data: to look at, and for axe to check."""
