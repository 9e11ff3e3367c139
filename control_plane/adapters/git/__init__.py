"""Git repositories, read by the program ``git`` as a confined child."""
