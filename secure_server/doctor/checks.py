"""All checks there are."""

from __future__ import annotations

from secure_server.doctor.databases import DATABASES
from secure_server.doctor.files import FILES
from secure_server.doctor.running import RUNNING

OF_FILES = (*FILES, *DATABASES)
"""Those that are made with the server down, too."""
COUNT = len(OF_FILES) + len(RUNNING)
"""How many a running server makes."""
