#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| grpc_fcgi_proxy_fuzz::json::check(input));
