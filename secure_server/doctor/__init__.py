"""What is wrong with a server, or will be: checks of its files, and of what only the running one knows."""
