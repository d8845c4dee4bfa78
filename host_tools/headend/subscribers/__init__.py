"""Who may be served: the home network's records of subscribers."""
