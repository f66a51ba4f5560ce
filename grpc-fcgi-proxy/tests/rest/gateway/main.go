// Serves the rules of comparison.proto by grpc-gateway: gateway GRPC-ADDRESS. It prints its own address.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	// The types of the details of errors.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"grpc-fcgi-proxy/gateway/comparison"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gateway GRPC-ADDRESS")
	}
	log.Fatal(serve(os.Args[1]))
}

func serve(backend string) error {
	// Its default writes every field, also those without a value, which would hide what was set. What it reads is as by default.
	json := &runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{}}
	json.Marshaler.(*runtime.JSONPb).DiscardUnknown = true
	mux := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, json))
	connection, err := grpc.NewClient(backend, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	if err := comparison.RegisterComparisonHandler(context.Background(), mux, connection); err != nil {
		return err
	}
	if err := comparison.RegisterUnsupportedHandler(context.Background(), mux, connection); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, mux)
}
