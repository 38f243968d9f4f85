"""What newcomers are served: the certificate, its files, and how another one takes its place."""
