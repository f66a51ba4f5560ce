package main

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	pb "clients/testing"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	// HTTP/2 counts 32 bytes for each field on top of name and value.
	fieldOverhead = 32
	// Bytes of the message around a payload of megabytes.
	payloadOverhead = 10
	// The proxy's default limits.
	maxRequest  = 4 * mib
	maxResponse = 16 * mib
)

// callWith makes a unary call with metadata, which the service echoes.
func (server *server) callWith(entries ...string) (initial, trailing metadata.MD, err error) {
	ctx := metadata.AppendToOutgoingContext(patient(), entries...)
	_, err = server.stub.UnaryCall(ctx, &pb.SimpleRequest{}, grpc.Header(&initial), grpc.Trailer(&trailing))
	return
}

func longMetadata(server *server) {
	text := strings.Repeat("v", 8*kib-fieldOverhead-len(initialKey))
	initial, _, err := server.callWith(initialKey, text)
	check(err)
	equal(initial.Get(initialKey)[0], text, "initial metadata")
	binary := strings.Repeat("\xab", (8*kib-fieldOverhead-len(trailingKey))*3/4)
	_, trailing, err := server.callWith(trailingKey, binary)
	check(err)
	equal(trailing.Get(trailingKey)[0], binary, "trailing metadata")
}

func tooLongMetadata(server *server) {
	server.keepsConnection(func() {
		_, _, err := server.callWith("x-long", strings.Repeat("v", 20*kib))
		endsWith(err, codes.ResourceExhausted, "the metadata exceeds the size limit")
		_, _, err = server.callWith(initialKey, strings.Repeat("v", 10*kib))
		endsWith(err, codes.ResourceExhausted, "the application's metadata exceeds the size limit")
		// More than the proxy's HTTP/2 takes: the client itself refuses to send it.
		_, _, err = server.callWith("x-long", strings.Repeat("v", 100*kib))
		endsWith(err, codes.Internal, "")
	})
}

func expect(compressed bool) *pb.SimpleRequest {
	return &pb.SimpleRequest{Payload: zeros(1000), ExpectCompressed: &pb.BoolValue{Value: compressed}}
}

func gzipRequests(server *server) {
	gzipped := grpc.UseCompressor(gzip.Name)
	_, err := server.stub.UnaryCall(patient(), expect(true))
	endsWith(err, codes.InvalidArgument, "the request message was uncompressed")
	_, err = server.stub.UnaryCall(patient(), expect(true), gzipped)
	check(err)
	_, err = server.stub.UnaryCall(patient(), expect(false))
	check(err)
	call, err := server.stub.StreamingInputCall(patient(), gzipped)
	check(err)
	for range 2 {
		check(call.Send(&pb.StreamingInputCallRequest{Payload: zeros(1000), ExpectCompressed: &pb.BoolValue{Value: true}}))
	}
	response, err := call.CloseAndRecv()
	check(err)
	equal(response.AggregatedPayloadSize, 2000, "size")
}

// compressions notes of each message that it receives whether it was compressed.
type compressions struct {
	mutex sync.Mutex
	seen  []bool
}

func (compressions *compressions) HandleRPC(_ context.Context, event stats.RPCStats) {
	if received, is := event.(*stats.InPayload); is {
		compressions.mutex.Lock()
		defer compressions.mutex.Unlock()
		compressions.seen = append(compressions.seen, received.CompressedLength < received.Length)
	}
}

func (*compressions) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*compressions) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*compressions) HandleConn(context.Context, stats.ConnStats)                       {}

func gzipResponses(*server) {
	received := &compressions{}
	server := connect(setting("SERVER"), grpc.WithStatsHandler(received))
	defer server.close()
	for index, compressed := range []bool{true, false} {
		request := &pb.SimpleRequest{ResponseSize: 1000, ResponseCompressed: &pb.BoolValue{Value: compressed}}
		response, err := server.stub.UnaryCall(patient(), request)
		check(err)
		equal(len(response.Payload.Body), 1000, "size")
		equal(received.seen[index], compressed, "compressed")
	}
}

// A single request of a stream cannot be exempted.
func gzipSingleMessages(*server) {
	received := &compressions{}
	server := connect(setting("SERVER"), grpc.WithStatsHandler(received))
	defer server.close()
	request := &pb.StreamingOutputCallRequest{}
	compressed := []bool{true, false, true}
	for _, value := range compressed {
		parameters := output(1000, 0)
		parameters.Compressed = &pb.BoolValue{Value: value}
		request.ResponseParameters = append(request.ResponseParameters, parameters)
	}
	call, err := server.stub.StreamingOutputCall(patient(), request)
	check(err)
	for index, value := range compressed {
		response, err := call.Recv()
		check(err)
		equal(len(response.Payload.Body), 1000, "size")
		equal(received.seen[index], value, "compressed")
	}
	ends(call)
}

func transfer(server *server, requestSize, responseSize int, options ...grpc.CallOption) error {
	request := &pb.SimpleRequest{ResponseSize: int32(responseSize)}
	if requestSize > 0 {
		request.Payload = zeros(requestSize)
	}
	response, err := server.stub.UnaryCall(patient(), request, options...)
	if err == nil {
		equal(len(response.Payload.GetBody()), responseSize, "size")
	}
	return err
}

func messagesAtTheLimit(server *server) {
	check(transfer(server, maxRequest-payloadOverhead, 0))
	check(transfer(server, 0, maxResponse-payloadOverhead, grpc.MaxCallRecvMsgSize(maxResponse)))
}

func messagesOverTheLimit(server *server) {
	server.keepsConnection(func() {
		err := transfer(server, maxRequest-payloadOverhead+1, 0)
		endsWith(err, codes.ResourceExhausted, "the request message exceeds the size limit")
		err = transfer(server, 0, maxResponse-payloadOverhead+1, grpc.MaxCallRecvMsgSize(2*maxResponse))
		endsWith(err, codes.ResourceExhausted, "the application's answer exceeds the size limit")
	})
}

func messagesOverTheClientsLimit(server *server) {
	server.keepsConnection(func() {
		endsWith(transfer(server, 0, 5*mib), codes.ResourceExhausted, "")
	})
}
