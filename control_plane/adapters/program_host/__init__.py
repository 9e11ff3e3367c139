"""Where programs that nobody vouches for are run; shared by both engines. See README.md."""
