"""The parts of the generator of bcast_negative.json: bytes and answers come from the oracle, nothing from `card`."""
