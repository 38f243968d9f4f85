"""HTTP for programs: commands by `POST /v1/run/NAME`, jobs, the catalogue; docs/http.md describes it.

`routes` says what a request is about, `arguments` makes a command's words of JSON, `telling` writes what a command
answers (JSON, lines, server-sent events), `http_wire` joins both to a session, `openapi` describes it all.
"""
