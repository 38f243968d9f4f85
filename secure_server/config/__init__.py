"""What an operator may choose: the settings, the file they are read from, and the quantities they are written in."""
