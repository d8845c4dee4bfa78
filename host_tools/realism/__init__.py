"""Makes the emulated card behave less perfectly: as slow as a physical card, or with faults by plan."""
