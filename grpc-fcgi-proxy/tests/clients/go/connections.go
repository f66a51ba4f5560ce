package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "clients/testing"
)

// How many callers share a connection.
const callers = 4

func retries(*server) {
	policy := `{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.01s",
		"maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`
	server := connect(setting("SERVER"), grpc.WithDefaultServiceConfig(policy))
	defer server.close()
	_, err := server.stub.UnaryCall(instead(patient(), "second-retry"), &pb.SimpleRequest{})
	check(err)
}

func keepalive(*server) {
	panic(leftOut("its shortest interval is 10 s"))
}

func overTLS(*server) {
	authority, err := credentials.NewClientTLSFromFile(setting("TLS_AUTHORITY"), "")
	check(err)
	server := connect(setting("TLS_SERVER"), grpc.WithTransportCredentials(authority))
	defer server.close()
	unary(server)
	bidiStreaming(server)
}

// keepCalling makes calls, and a stream that lasts as long, until the calls have reported enough. None may fail.
func keepCalling(server *server, enough func(*pb.SimpleResponse) bool) {
	stream, err := server.stub.FullDuplexCall(patient())
	check(err)
	check(pingPong(stream, 1, 1))
	var done atomic.Bool
	var group sync.WaitGroup
	failures := make(chan error, callers)
	for range callers {
		group.Go(func() {
			for !done.Load() {
				response, err := server.report(patient())
				if err != nil {
					failures <- err
					done.Store(true)
				} else if enough(response) {
					done.Store(true)
				}
			}
		})
	}
	for !done.Load() {
		check(pingPong(stream, 1, 1))
	}
	group.Wait()
	check(stream.CloseSend())
	ends(stream)
	select {
	case err := <-failures:
		panic(err)
	default:
	}
}

func connectionAge(*server) {
	server := connect(setting("AGING_SERVER"))
	defer server.close()
	var connections sync.Map
	var count atomic.Int32
	keepCalling(server, func(response *pb.SimpleResponse) bool {
		if _, known := connections.LoadOrStore(response.Username, true); !known {
			count.Add(1)
		}
		return count.Load() >= 4
	})
}

func drain(*server) {
	server := connect(setting("DRAINING_SERVER"))
	defer server.close()
	var old, fresh atomic.Int32
	keepCalling(server, func(response *pb.SimpleResponse) bool {
		if response.ServerId == "old" {
			if old.Add(1) == 20 {
				terminate(setting("DRAINING_PROCESS"))
			}
			return false
		}
		return fresh.Add(1) >= 20
	})
}

func restart(*server) {
	server := connect(setting("RESTARTING_SERVER"))
	defer server.close()
	first, err := server.report(patient())
	check(err)
	process, err := os.ReadFile(setting("RESTARTING_PROCESS_FILE"))
	check(err)
	terminate(string(process))
	for end := time.Now().Add(patience); ; {
		response, err := server.report(patient(), grpc.WaitForReady(true))
		check(err)
		if response.ServerId != first.ServerId {
			return
		}
		require(time.Now().Before(end), "the proxy was not restarted")
	}
}

func terminate(process string) {
	number, err := strconv.Atoi(strings.TrimSpace(process))
	check(err)
	check(syscall.Kill(number, syscall.SIGTERM))
}
