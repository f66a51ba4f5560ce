"""Whether a balancer gives fewer calls to a server that reports that it is busy.

Usage: balance.py BALANCER SERVER, each HOST:PORT of grpc.testing.TestService, with testing.test_pb2 and
testing.test_pb2_grpc on PYTHONPATH. SERVER is one of the balancer's two. Prints what each of them got.
"""

import collections
import queue
import sys
import time

import grpc
from testing import test_pb2 as pb
from testing import test_pb2_grpc as stubs

# Streams that the server is busy with, of the 15 that script/interop-server runs at once.
STREAMS = 12
# Calls in a round.
ROUND = 100
# How long rounds may be repeated, in seconds: a report is an average of the last seconds.
PATIENCE = 60


def round_of_calls(stub):
    """How many calls each server got."""
    request = pb.SimpleRequest(fill_server_id=True)
    return collections.Counter(stub.UnaryCall(request, timeout=20).server_id for _ in range(ROUND))


def hold(stub):
    """Begins a stream that stays open until its queue gets None."""
    requests = queue.Queue()
    requests.put(pb.StreamingOutputCallRequest(response_parameters=[pb.ResponseParameters(size=1)]))
    responses = stub.FullDuplexCall(iter(requests.get, None), timeout=2 * PATIENCE)
    next(responses)
    return requests, responses


def until(stub, name, enough):
    """Repeats rounds until the server with this name gets as many calls as is enough; returns how many."""
    deadline = time.monotonic() + PATIENCE
    while not enough(got := round_of_calls(stub)[name]):
        if time.monotonic() > deadline:
            sys.exit(f"the server still gets {got} of {ROUND} calls")
    return got


def main(balancer, server):
    with grpc.insecure_channel(balancer) as balanced, grpc.insecure_channel(server) as direct:
        stub, own = stubs.TestServiceStub(balanced), stubs.TestServiceStub(direct)
        name = own.UnaryCall(pb.SimpleRequest(fill_server_id=True), timeout=20).server_id
        got = until(stub, name, lambda got: 3 * got >= ROUND)
        print(f"while both are idle, they get {got} and {ROUND - got} of {ROUND} calls")
        streams = [hold(own) for _ in range(STREAMS)]
        # A quarter of what the other one gets.
        got = until(stub, name, lambda got: 5 * got <= ROUND)
        print(f"while the first is busy, {got} and {ROUND - got}")
        for requests, responses in streams:
            requests.put(None)
            for _ in responses:
                pass


if __name__ == "__main__":
    main(*sys.argv[1:])
