"""`top`: what the server does now, on one screen that is looked at again and again."""
