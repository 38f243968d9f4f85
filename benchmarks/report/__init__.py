"""What was measured, as people and programs read it: on the terminal, in Markdown, in JSON, and as charts."""
