// The cases of script/clients with grpc-go. Prints a line for each: its name, a tab, and "ok", "left out: " and the reason, or the error.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "clients/testing"
)

// The longest that a call takes.
const patience = 20 * time.Second

type leftOut string

type testCase struct {
	name string
	run  func(server *server)
}

var cases = []testCase{
	{"unary", unary},
	{"client_streaming", clientStreaming},
	{"server_streaming", serverStreaming},
	{"bidi_streaming", bidiStreaming},
	{"metadata", echoedMetadata},
	{"metadata_of_8_kib", longMetadata},
	{"metadata_over_the_limit", tooLongMetadata},
	{"error_details", errorDetails},
	{"deadline", deadline},
	{"cancellation", cancellation},
	{"gzip_requests", gzipRequests},
	{"gzip_responses", gzipResponses},
	{"gzip_single_messages", gzipSingleMessages},
	{"messages_at_the_limit", messagesAtTheLimit},
	{"messages_over_the_limit", messagesOverTheLimit},
	{"messages_over_the_clients_limit", messagesOverTheClientsLimit},
	{"retries", retries},
	{"keepalive", keepalive},
	{"tls", overTLS},
	{"connection_age", connectionAge},
	{"drain", drain},
	{"restart_with_wait_for_ready", restart},
}

type server struct {
	connection *grpc.ClientConn
	stub       pb.TestServiceClient
}

func connect(address string, options ...grpc.DialOption) *server {
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	connection, err := grpc.NewClient(address, append([]grpc.DialOption{plain}, options...)...)
	check(err)
	return &server{connection, pb.NewTestServiceClient(connection)}
}

func (server *server) close() {
	check(server.connection.Close())
}

// report returns what the script knows of a call.
func (server *server) report(ctx context.Context, options ...grpc.CallOption) (*pb.SimpleResponse, error) {
	return server.stub.UnaryCall(instead(ctx, "report"), &pb.SimpleRequest{}, options...)
}

// keepsConnection fails if the calls end the connection.
func (server *server) keepsConnection(calls func()) {
	before, err := server.report(patient())
	check(err)
	calls()
	after, err := server.report(patient())
	check(err)
	equal(after.Username, before.Username, "the client's address after the call")
}

// instead has the script do something else than the service: see index.php.
func instead(ctx context.Context, what string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-instead", what)
}

// patient is the context of a call that should end by itself.
func patient() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func setting(name string) string {
	value := os.Getenv(name)
	if value == "" {
		panic(fmt.Errorf("%s is not set", name))
	}
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func equal[T comparable](seen, expected T, what string) {
	require(seen == expected, "%s: %v instead of %v", what, seen, expected)
}

func require(condition bool, format string, arguments ...any) {
	if !condition {
		panic(fmt.Errorf(format, arguments...))
	}
}

func endsWith(err error, code codes.Code, message string) {
	equal(status.Code(err), code, "code of "+fmt.Sprint(err))
	if message != "" {
		equal(status.Convert(err).Message(), message, "message")
	}
}

func outcome(test testCase, server *server) (outcome string) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case leftOut:
			outcome = "left out: " + string(cause)
		default:
			outcome = strings.Join(strings.Fields(fmt.Sprint(cause)), " ")
		}
	}()
	test.run(server)
	return "ok"
}

func main() {
	server := connect(setting("SERVER"))
	for _, test := range cases {
		fmt.Printf("%s\t%s\n", test.name, outcome(test, server))
	}
	server.close()
}
