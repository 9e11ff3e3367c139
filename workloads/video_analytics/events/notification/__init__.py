"""Who is told of events: receivers, what is to be sent to them, and sending it."""
