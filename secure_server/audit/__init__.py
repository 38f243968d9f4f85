"""The audit trail: who did what, one JSON object a line, each line bound to the one before it by its hash.

record      what a line holds
chain       how lines are bound, and the head that says where they end
journal     the files: appending from several processes, and mending what a crash tore
trail       the server's: a queue, a thread that writes, what is done while nothing can be written
verify      finds what was changed, removed, reordered, inserted or cut off
"""
