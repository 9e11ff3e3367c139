"""The calendar of working days, by which every clock of a request runs."""
