"""The Pulumi engine: the real CLI, with programs confined in processes of their own."""
