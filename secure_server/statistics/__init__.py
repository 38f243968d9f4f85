"""How much was done, how fast, and by whom: counted since the start and in the last minute, in bounded memory."""
