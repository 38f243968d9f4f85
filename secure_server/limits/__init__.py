"""How much of what: newcomers, failures, commands a second. Data in, decisions out; no socket."""
