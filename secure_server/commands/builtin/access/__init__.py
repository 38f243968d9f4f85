"""Who may come in, and by what: the commands about tokens, certificates and penalties."""
