"""`python -m secure_server`."""

from secure_server.cli import main

main()
