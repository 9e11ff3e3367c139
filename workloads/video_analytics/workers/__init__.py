"""Workers: who watches which cameras, and the processes that decode and analyse."""
