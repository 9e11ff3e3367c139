"""The application, the command line and the processes of Borough Exchange."""
