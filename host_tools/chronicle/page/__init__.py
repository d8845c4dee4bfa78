"""A chronicle as one self-contained HTML page: a picture over time, and tables that say the same."""
