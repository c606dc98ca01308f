"""How a run goes: online, offline or a curriculum; metering, evaluation, traces."""
