"""gRPC's interoperability cases, with grpcio, the client on gRPC's C core.

https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md

Usage: conformance.py HOST:PORT, with testing.test_pb2 and testing.test_pb2_grpc, generated from test.proto, and the modules
of xds/service/orca/v3/orca.proto on PYTHONPATH.
Prints a line for each case: its name, a tab, and "ok", the error, or "–" if grpcio cannot show what the case checks.
"""

import sys
import threading
from unittest import mock

import grpc
import grpc._channel
from connections import Server
from testing import test_pb2 as pb
from testing import test_pb2_grpc as stubs
from xds.data.orca.v3 import orca_load_report_pb2
from xds.service.orca.v3 import orca_pb2, orca_pb2_grpc

REQUEST_SIZES = [27182, 8, 1828, 45904]
RESPONSE_SIZES = [31415, 9, 2653, 58979]
LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
# From grpc_types.h of the C core.
WRITE_NO_COMPRESS = 2
# The longest that a case waits for anything, in seconds.
TIMEOUT = 20

# The core keeps the report of a call to its balancers.
NOT_SHOWN = ["orca_per_rpc"]

cases = {}


def case(function):
    cases[function.__name__] = function
    return function


def check_equal(seen, expected, what):
    if seen != expected:
        raise AssertionError(f"{what}: {seen!r} instead of {expected!r}")


def zeros(size):
    return pb.Payload(body=bytes(size))


def large_request(**fields):
    return pb.SimpleRequest(response_size=LARGE_RESPONSE, payload=zeros(LARGE_REQUEST), **fields)


def output_request(response_size, request_size):
    return pb.StreamingOutputCallRequest(
        response_parameters=[pb.ResponseParameters(size=response_size)], payload=zeros(request_size)
    )


def check_large(response):
    check_equal(response.payload, zeros(LARGE_RESPONSE), "payload")


def expect_status(call, code, message=None):
    """Checks the status that a call, or the iterator of a streaming one, ends with."""
    try:
        call()
    except grpc.RpcError as error:
        check_equal(error.code(), code, "code")
        if message is not None:
            check_equal(error.details(), message, "message")
    else:
        raise AssertionError(f"OK instead of {code}")


class Requests:
    """The requests of a stream, sent one by one until the half-close."""

    def __init__(self):
        self.ready = threading.Semaphore(0)
        self.queue = []

    def send(self, request):
        self.queue.append(request)
        self.ready.release()

    def half_close(self):
        self.send(None)

    def __iter__(self):
        return self

    def __next__(self):
        self.ready.acquire()
        request = self.queue.pop(0)
        if request is None:
            raise StopIteration
        return request


@case
def empty_unary(server):
    check_equal(server.stub.EmptyCall(pb.Empty(), timeout=TIMEOUT), pb.Empty(), "response")


@case
def large_unary(server):
    check_large(server.stub.UnaryCall(large_request(), timeout=TIMEOUT))


@case
def client_streaming(server):
    requests = (pb.StreamingInputCallRequest(payload=zeros(size)) for size in REQUEST_SIZES)
    response = server.stub.StreamingInputCall(requests, timeout=TIMEOUT)
    check_equal(response.aggregated_payload_size, 74922, "aggregated_payload_size")


@case
def server_streaming(server):
    parameters = [pb.ResponseParameters(size=size) for size in RESPONSE_SIZES]
    request = pb.StreamingOutputCallRequest(response_parameters=parameters)
    responses = server.stub.StreamingOutputCall(request, timeout=TIMEOUT)
    check_equal([len(response.payload.body) for response in responses], RESPONSE_SIZES, "sizes")


@case
def ping_pong(server):
    requests = Requests()
    responses = server.stub.FullDuplexCall(requests, timeout=TIMEOUT)
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.send(output_request(response_size, request_size))
        check_equal(len(next(responses).payload.body), response_size, "size")
    requests.half_close()
    check_equal(list(responses), [], "the rest")
    check_equal(responses.code(), grpc.StatusCode.OK, "code")


@case
def empty_stream(server):
    responses = server.stub.FullDuplexCall(iter([]), timeout=TIMEOUT)
    check_equal(list(responses), [], "responses")
    check_equal(responses.code(), grpc.StatusCode.OK, "code")


@case
def custom_metadata(server):
    metadata = [INITIAL, TRAILING]
    _, unary = server.stub.UnaryCall.with_call(large_request(), metadata=metadata, timeout=TIMEOUT)
    duplex = server.stub.FullDuplexCall(
        iter([output_request(LARGE_RESPONSE, LARGE_REQUEST)]), metadata=metadata, timeout=TIMEOUT
    )
    check_equal(len(next(duplex).payload.body), LARGE_RESPONSE, "size")
    check_equal(list(duplex), [], "the rest")
    for call in (unary, duplex):
        initial = dict(call.initial_metadata())
        trailing = dict(call.trailing_metadata())
        check_equal(initial.get(INITIAL[0]), INITIAL[1], "initial metadata")
        check_equal(trailing.get(TRAILING[0]), TRAILING[1], "trailing metadata")


def check_echoed_status(server, code, message):
    status = pb.EchoStatus(code=code.value[0], message=message)
    expect_status(
        lambda: server.stub.UnaryCall(pb.SimpleRequest(response_status=status), timeout=TIMEOUT), code, message
    )
    requests = iter([pb.StreamingOutputCallRequest(response_status=status)])
    expect_status(lambda: list(server.stub.FullDuplexCall(requests, timeout=TIMEOUT)), code, message)


@case
def status_code_and_message(server):
    check_echoed_status(server, grpc.StatusCode.UNKNOWN, "test status message")


@case
def special_status_message(server):
    check_echoed_status(server, grpc.StatusCode.UNKNOWN, SPECIAL)


@case
def orca_oob(server):
    interval = orca_pb2.OrcaLoadReportRequest()
    interval.report_interval.FromSeconds(1)
    reports = orca_pb2_grpc.OpenRcaServiceStub(server.channel).StreamCoreMetrics(interval, timeout=TIMEOUT)
    requests = Requests()
    responses = server.stub.FullDuplexCall(requests, timeout=TIMEOUT)
    for cpu, memory, util in [(0.8210, 0.5847, 0.30499), (0.29309, 0.2, 0.2039)]:
        report = {"cpu_utilization": cpu, "utilization": {"util": util}}
        request = output_request(1, 0)
        request.orca_oob_report.CopyFrom(pb.TestOrcaReport(memory_utilization=memory, **report))
        requests.send(request)
        next(responses)
        expected = orca_load_report_pb2.OrcaLoadReport(mem_utilization=memory, **report)
        # Until the deadline.
        while next(reports) != expected:
            pass
    requests.half_close()
    check_equal(list(responses), [], "the rest")
    reports.cancel()


@case
def unimplemented_method(server):
    expect_status(
        lambda: server.stub.UnimplementedCall(pb.Empty(), timeout=TIMEOUT), grpc.StatusCode.UNIMPLEMENTED
    )


@case
def unimplemented_service(server):
    stub = stubs.UnimplementedServiceStub(server.channel)
    expect_status(lambda: stub.UnimplementedCall(pb.Empty(), timeout=TIMEOUT), grpc.StatusCode.UNIMPLEMENTED)


@case
def cancel_after_begin(server):
    call = server.stub.StreamingInputCall.future(Requests(), timeout=TIMEOUT)
    call.cancel()
    check_equal(call.cancelled(), True, "cancelled")
    check_equal(call.code(), grpc.StatusCode.CANCELLED, "code")


@case
def cancel_after_first_response(server):
    requests = Requests()
    responses = server.stub.FullDuplexCall(requests, timeout=TIMEOUT)
    requests.send(output_request(31415, 27182))
    check_equal(len(next(responses).payload.body), 31415, "size")
    responses.cancel()
    expect_status(lambda: next(responses), grpc.StatusCode.CANCELLED)


@case
def timeout_on_sleeping_server(server):
    requests = Requests()
    requests.send(pb.StreamingOutputCallRequest(payload=zeros(27182)))
    expect_status(
        lambda: next(server.stub.FullDuplexCall(requests, timeout=0.001)), grpc.StatusCode.DEADLINE_EXCEEDED
    )
    requests.half_close()


@case
def client_compressed_unary(server):
    expect = {"expect_compressed": pb.BoolValue(value=True)}
    # The probe: a server that ignores the difference fails here.
    expect_status(
        lambda: server.stub.UnaryCall(large_request(**expect), timeout=TIMEOUT), grpc.StatusCode.INVALID_ARGUMENT
    )
    check_large(
        server.stub.UnaryCall(large_request(**expect), compression=grpc.Compression.Gzip, timeout=TIMEOUT)
    )
    expect = {"expect_compressed": pb.BoolValue(value=False)}
    check_large(server.stub.UnaryCall(large_request(**expect), timeout=TIMEOUT))


@case
def client_compressed_streaming(server):
    compressed = pb.StreamingInputCallRequest(expect_compressed=pb.BoolValue(value=True), payload=zeros(27182))
    plain = pb.StreamingInputCallRequest(expect_compressed=pb.BoolValue(value=False), payload=zeros(45904))

    def requests():
        yield compressed
        # The core takes flags for each message, but grpcio's public interface does not. No other call may run
        # meanwhile: its operations would get these flags too.
        with mock.patch.object(grpc._channel, "_EMPTY_FLAGS", WRITE_NO_COMPRESS):
            yield plain

    call = server.stub.StreamingInputCall
    expect_status(lambda: call(iter([compressed]), timeout=TIMEOUT), grpc.StatusCode.INVALID_ARGUMENT)
    response = call(requests(), compression=grpc.Compression.Gzip, timeout=TIMEOUT)
    check_equal(response.aggregated_payload_size, 73086, "aggregated_payload_size")


@case
def server_compressed_unary(server):
    for compressed in (True, False):
        with server.measured() as (stub, received):
            request = large_request(response_compressed=pb.BoolValue(value=compressed))
            check_large(stub.UnaryCall(request, timeout=TIMEOUT))
            check_equal(received() < LARGE_RESPONSE, compressed, "compressed")


@case
def server_compressed_streaming(server):
    with server.measured() as (stub, received):
        parameters = [
            pb.ResponseParameters(size=31415, compressed=pb.BoolValue(value=True)),
            pb.ResponseParameters(size=92653, compressed=pb.BoolValue(value=False)),
        ]
        responses = stub.StreamingOutputCall(
            pb.StreamingOutputCallRequest(response_parameters=parameters), timeout=TIMEOUT
        )
        check_equal([len(response.payload.body) for response in responses], [31415, 92653], "sizes")
        check_equal(92653 < received() < 92653 + 31415, True, "only the first one compressed")


def soak(call):
    for _ in range(100):
        call()


@case
def rpc_soak(server):
    soak(lambda: large_unary(server))


@case
def channel_soak(server):
    def call():
        with Server(server.address) as fresh:
            large_unary(fresh)

    soak(call)


def main():
    failed = False
    with Server(sys.argv[1]) as server:
        for name, run in cases.items():
            outcome = "ok"
            try:
                run(server)
            except Exception as error:  # the other cases run whatever it is
                outcome = " ".join(str(error).split()) or type(error).__name__
                failed = True
            print(name, outcome, sep="\t", flush=True)
    for name in NOT_SHOWN:
        print(name, "–", sep="\t")
    sys.exit(failed)


if __name__ == "__main__":
    main()
