"""`python -m secure_client`."""

from secure_client.cli.main import main

if __name__ == "__main__":
    main()
