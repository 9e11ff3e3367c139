"""The metadata on which the features declare their tables; names begin with ``exchange_``."""

from foundation.kernel.database import new_metadata

metadata = new_metadata()
