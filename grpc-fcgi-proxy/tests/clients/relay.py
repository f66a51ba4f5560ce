"""Passes TCP connections on to the first of several addresses that accepts: a service whose old instance goes away.

Usage: relay.py HOST:PORT... Prints the address that it listens on.
"""

import asyncio
import sys


async def copy(reader, writer):
    try:
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def connect(addresses):
    for address in addresses:
        host, port = address.rsplit(":", 1)
        try:
            return await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            continue
    raise ConnectionRefusedError


async def relay(reader, writer):
    try:
        server_reader, server_writer = await connect(sys.argv[1:])
    except OSError:
        writer.transport.abort()
        return
    await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))
    writer.close()
    server_writer.close()


async def main():
    listener = await asyncio.start_server(relay, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    print(f"{host}:{port}", flush=True)
    await listener.serve_forever()


asyncio.run(main())
