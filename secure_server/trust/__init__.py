"""Who on this machine trusts the CA: the databases of browsers, and the system's store."""
