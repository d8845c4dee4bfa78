"""Distribution: traffic keys, media, and the STKMs that go with them."""
