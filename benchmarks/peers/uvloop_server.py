"""The same protocol on uvloop: python -m benchmarks.peers.uvloop_server CERTIFICATES."""

from __future__ import annotations

import uvloop

from benchmarks.peers.asyncio_server import main

if __name__ == "__main__":
    main(uvloop.new_event_loop)
