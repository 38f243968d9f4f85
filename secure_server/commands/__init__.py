"""Commands are data: a name, a handler, and the policy that the dispatcher's one gate applies."""
