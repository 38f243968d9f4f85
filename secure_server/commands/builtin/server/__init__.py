"""SERVER: how the server fares, for administrators."""
