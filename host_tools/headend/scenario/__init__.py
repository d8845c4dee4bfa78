"""A scenario: one maker of a whole head-end, and a driver that plays its time."""
