"""Who is connected: CLIENTS and KICK."""
