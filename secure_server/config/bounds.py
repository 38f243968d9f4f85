"""What a setting may be: the types of those that several have in common."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from secure_server.config.quantities import Duration, Size

KB, GB, TB = 1024, 1024**3, 1024**4
WEEK = Duration(7 * 86400)
"""The longest deadline: epoll takes no more than 24 days, and whoever means "never" says so."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Line = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]*\Z", max_length=4096)]
Deadline = Annotated[Duration, Meta(extra={"least": Duration(0.01), "most": WEEK})]
DeadlineOrNone = Annotated[Duration, Meta(extra={"least": Duration(0), "most": WEEK})]
Bytes = Annotated[Size, Meta(extra={"least": Size(KB), "most": Size(GB)})]
