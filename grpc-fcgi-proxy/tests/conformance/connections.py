"""The connections of the cases: a channel with its stub, and one whose received bytes are counted."""

import asyncio
import threading

import grpc
from testing import test_pb2_grpc as stubs


class Server:
    def __init__(self, address):
        self.address = address

    def __enter__(self):
        # Otherwise channels with the same settings share a connection.
        self.channel = grpc.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)])
        self.stub = stubs.TestServiceStub(self.channel)
        return self

    def __exit__(self, *_):
        self.channel.close()

    def measured(self):
        return Measured(self.address)


class Measured:
    def __init__(self, address):
        self.relay = Relay(address)

    def __enter__(self):
        self.relay.__enter__()
        self.server = Server(self.relay.address).__enter__()
        return self.server.stub, lambda: self.relay.received

    def __exit__(self, *error):
        self.server.__exit__(*error)
        self.relay.__exit__(*error)


class Relay:
    """Passes connections on, and counts the bytes of the server: grpcio does not report what was compressed."""

    def __init__(self, address):
        self.host, self.port = address.rsplit(":", 1)
        self.received = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)

    def __enter__(self):
        self.thread.start()
        starting = asyncio.start_server(self.relay, "127.0.0.1", 0)
        self.listener = asyncio.run_coroutine_threadsafe(starting, self.loop).result()
        host, port = self.listener.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def stop(self):
        self.listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def relay(self, reader, writer):
        server_reader, server_writer = await asyncio.open_connection(self.host, self.port)
        try:
            await asyncio.gather(self.copy(reader, server_writer), self.copy(server_reader, writer, counted=True))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            server_writer.close()

    async def copy(self, reader, writer, counted=False):
        while content := await reader.read(65536):
            self.received += len(content) if counted else 0
            writer.write(content)
            await writer.drain()
        writer.write_eof()
