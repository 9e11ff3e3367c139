"""Electronic licences: issued to a holder's key, shown in part, verified off-line, revocable."""
