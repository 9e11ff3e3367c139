"""Who the city's departments are, what they run, and how much each may use."""
