"""Watch lists: whose faces and which plates cameras may look for, why, and until when."""
