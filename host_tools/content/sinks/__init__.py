"""Where opened media go: in order, into files that a player knows."""
