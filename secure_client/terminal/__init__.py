"""The terminal toolkit: one file per mode (`repl`, `batch`, `oneshot`) and one per part of the screen.

Parametrised by `Appearance`, so that the server's admin shell is the same terminal with another prompt. Nothing here
names a command: what the server's `COMMANDS` tells is completed, hinted and rendered.
"""
