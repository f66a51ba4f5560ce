"""Calls the sample service until SIGTERM, and counts: unary calls that fail fast, unary calls that wait for a connection, and
streams. Nothing that the proxy has begun may fail, and no call that waits. A call that fails fast may find no listener.

Usage: load.py HOST:PORT
"""

import signal
import sys
import threading
import time

import grpc

SERVICE = "/parcel.v1.ParcelService/"
# GetParcelRequest and TrackParcelRequest with the id 42.
REQUEST = b"\n\x0242"
CALLERS = 4
STOPS = 3


class Caller(threading.Thread):
    """One client with a connection of its own."""

    def __init__(self, address, stop, streaming, wait):
        super().__init__()
        # Without this, channels of one process share a connection.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100),
                   ("grpc.min_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200)]
        self.channel = grpc.insecure_channel(address, options=options)
        self.stop, self.streaming, self.wait = stop, streaming, wait
        self.ok, self.longest, self.failures = 0, 0.0, []
        self.first = threading.Event()

    def run(self):
        unary = self.channel.unary_unary(SERVICE + "GetParcel")
        stream = self.channel.unary_stream(SERVICE + "TrackParcel")
        last = time.monotonic()
        while not self.stop.is_set():
            try:
                if self.streaming:
                    stops = len(list(stream(REQUEST, timeout=60, wait_for_ready=True)))
                    assert stops == STOPS, stops
                else:
                    unary(REQUEST, timeout=60, wait_for_ready=self.wait)
                self.longest = max(self.longest, time.monotonic() - last)
                last = time.monotonic()
                self.ok += 1
                self.first.set()
            except grpc.RpcError as error:
                self.failures.append(error)


def never_begun(error):
    """Whether there was no connection to send the call on."""
    return error.code() == grpc.StatusCode.UNAVAILABLE and "failed to connect to all addresses" in error.details()


def main():
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    address = sys.argv[1]
    kinds = {
        "calls that fail fast": [Caller(address, stop, False, False) for _ in range(CALLERS)],
        "calls that wait": [Caller(address, stop, False, True) for _ in range(CALLERS)],
        "streams": [Caller(address, stop, True, True) for _ in range(CALLERS // 2)],
    }
    callers = [caller for group in kinds.values() for caller in group]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.first.wait()
    print("running", flush=True)
    for caller in callers:
        caller.join()
    lost = []
    for kind, group in kinds.items():
        failures = [error for caller in group for error in caller.failures]
        # No backoff: a caller that fails fast repeats its call thousands of times while nothing listens.
        print(f"{kind}: {sum(caller.ok for caller in group)} complete, {len(failures)} not connected, "
              f"longest wait {max(caller.longest for caller in group):.2f} s")
        lost += [error for error in failures if kind != "calls that fail fast" or not never_begun(error)]
    for error in lost[:10]:
        print(f"lost: {error.code()}: {error.details()}")
    sys.exit(1 if lost else 0)


main()
