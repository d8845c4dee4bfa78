"""Functions that scripts may call: `call` has the list, the other modules what stands behind some of them."""
