"""The audit trail: who did what, one JSON object a line, each line bound to the one before it by its hash.

record      what a line holds
chain       how lines are bound, and the head that says where they end
tail        the files in their order, and whether their end goes on from what is known
journal     appending to them from several processes, mending what a crash tore, going on elsewhere after a break
trail       the server's: a queue, a thread that writes, what is done while nothing can be written
gap         what a server that ends while nothing can be written leaves for the next to tell
running     commands that take long
verify      finds what was changed, removed, reordered, inserted or cut off
"""
