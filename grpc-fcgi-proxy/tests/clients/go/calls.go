package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "clients/testing"
)

const (
	initialKey  = "x-grpc-test-echo-initial"
	trailingKey = "x-grpc-test-echo-trailing-bin"
)

var (
	requestSizes  = []int{27182, 8, 1828, 45904}
	responseSizes = []int{31415, 9, 2653, 58979}
)

func zeros(size int) *pb.Payload {
	return &pb.Payload{Body: make([]byte, size)}
}

func unary(server *server) {
	response, err := server.stub.UnaryCall(patient(), &pb.SimpleRequest{Payload: zeros(271828), ResponseSize: 314159})
	check(err)
	equal(len(response.Payload.Body), 314159, "size")
}

func clientStreaming(server *server) {
	call, err := server.stub.StreamingInputCall(patient())
	check(err)
	for _, size := range requestSizes {
		check(call.Send(&pb.StreamingInputCallRequest{Payload: zeros(size)}))
	}
	response, err := call.CloseAndRecv()
	check(err)
	equal(response.AggregatedPayloadSize, 74922, "size")
}

func output(size int, interval time.Duration) *pb.ResponseParameters {
	return &pb.ResponseParameters{Size: int32(size), IntervalUs: int32(interval.Microseconds())}
}

func serverStreaming(server *server) {
	request := &pb.StreamingOutputCallRequest{}
	for _, size := range responseSizes {
		request.ResponseParameters = append(request.ResponseParameters, output(size, 0))
	}
	call, err := server.stub.StreamingOutputCall(patient(), request)
	check(err)
	for _, size := range responseSizes {
		response, err := call.Recv()
		check(err)
		equal(len(response.Payload.Body), size, "size")
	}
	ends(call)
}

func bidiStreaming(server *server) {
	call, err := server.stub.FullDuplexCall(patient())
	check(err)
	for index, size := range requestSizes {
		check(pingPong(call, size, responseSizes[index]))
	}
	check(call.CloseSend())
	ends(call)
}

func pingPong(call pb.TestService_FullDuplexCallClient, requestSize, responseSize int) error {
	request := &pb.StreamingOutputCallRequest{
		Payload: zeros(requestSize), ResponseParameters: []*pb.ResponseParameters{output(responseSize, 0)},
	}
	if err := call.Send(request); err != nil && err != io.EOF {
		return err
	}
	response, err := call.Recv()
	if err == nil {
		equal(len(response.Payload.Body), responseSize, "size")
	}
	return err
}

// ends fails unless the call has no further response and ends with OK.
func ends(call interface {
	Recv() (*pb.StreamingOutputCallResponse, error)
}) {
	_, err := call.Recv()
	equal(err, io.EOF, "end")
}

func echoedMetadata(server *server) {
	var all []byte
	for value := range 256 {
		all = append(all, byte(value))
	}
	sent := metadata.Pairs(
		initialKey, "b", initialKey, "a, c", trailingKey, string(all), trailingKey, "", trailingKey, "\xab\xab\xab",
	)
	var initial, trailing metadata.MD
	_, err := server.stub.UnaryCall(
		metadata.NewOutgoingContext(patient(), sent), &pb.SimpleRequest{}, grpc.Header(&initial), grpc.Trailer(&trailing),
	)
	check(err)
	require(slices.Equal(initial[initialKey], sent[initialKey]), "initial metadata: %q", initial)
	require(slices.Equal(trailing[trailingKey], sent[trailingKey]), "trailing metadata: %q", trailing)
}

func errorDetails(server *server) {
	_, err := server.stub.UnaryCall(instead(patient(), "details"), &pb.SimpleRequest{})
	endsWith(err, codes.FailedPrecondition, "not yet: ☺")
	details := status.Convert(err).Details()
	equal(len(details), 1, "number of details")
	expected := &pb.EchoStatus{Code: 7, Message: "a detail"}
	require(proto.Equal(details[0].(proto.Message), expected), "detail: %v", details[0])
}

func deadline(server *server) {
	response, err := server.report(context.Background())
	check(err)
	equal(response.OauthScope, "no deadline", "deadline of the script")
	response, err = server.report(patient())
	check(err)
	left, err := strconv.ParseFloat(response.OauthScope, 64)
	check(err)
	require(left > 0 && left <= patience.Seconds(), "seconds left: %v", left)

	server.keepsConnection(func() {
		// The proxy's time and the client's end at once: either may be first.
		seen := handled("StreamingOutputCall", "DeadlineExceeded|Canceled")
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		request := &pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{output(1, time.Second)}}
		call, err := server.stub.StreamingOutputCall(ctx, request)
		check(err)
		_, err = call.Recv()
		endsWith(err, codes.DeadlineExceeded, "")
		await(func() bool { return handled("StreamingOutputCall", "DeadlineExceeded|Canceled") == seen+1 })
	})
}

func cancellation(server *server) {
	server.keepsConnection(func() {
		seen := handled("FullDuplexCall", "Canceled")
		ctx, cancel := context.WithCancel(context.Background())
		call, err := server.stub.FullDuplexCall(ctx)
		check(err)
		request := &pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{output(1, 0), output(1, time.Second)}}
		check(call.Send(request))
		_, err = call.Recv()
		check(err)
		cancel()
		_, err = call.Recv()
		endsWith(err, codes.Canceled, "")
		await(func() bool { return handled("FullDuplexCall", "Canceled") == seen+1 })
	})
}

// handled returns how many calls of a method the proxy has ended with one of the codes.
func handled(method, code string) int {
	response, err := http.Get(setting("SERVER_METRICS"))
	check(err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	check(err)
	isOf := regexp.MustCompile(`^grpc_server_handled_total\{grpc_code="(` + code + `)",grpc_method="` + method + `",.*\} (\d+)$`)
	count := 0
	for _, line := range bytes.Split(content, []byte("\n")) {
		if found := isOf.FindSubmatch(line); found != nil {
			value, err := strconv.Atoi(string(found[2]))
			check(err)
			count += value
		}
	}
	return count
}

func await(condition func() bool) {
	for end := time.Now().Add(patience); !condition(); time.Sleep(10 * time.Millisecond) {
		require(time.Now().Before(end), "the proxy does not count the call")
	}
}
