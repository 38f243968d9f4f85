"""The client on an event loop: `AsyncClient`, for programs that run on asyncio. Nothing here is for several threads.

request    a call as a task waits for it
loop       what drives a link: asyncio's transports, and its timer
job        a run at the server that is followed
client     the library's face, with the names of `secure_client.client`
"""
