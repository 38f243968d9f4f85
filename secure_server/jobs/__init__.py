"""Runs of commands that outlive the connection that asked for them: who may run, what is kept, who watches."""
