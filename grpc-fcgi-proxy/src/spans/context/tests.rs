//! Contexts as bytes.

use super::*;

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SPAN: u64 = 0x00f0_67aa_0ba9_02b7;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn received(fields: &[(&'static str, &str)]) -> (Option<(u128, u64)>, Option<bool>) {
    let received = Received::of(&headers(fields));
    let ids = received.ids.map(|ids| (ids.trace, ids.span));
    (ids, received.sampled)
}

#[test]
fn the_context_is_found_in_each_format() {
    let whole = Some((TRACE, SPAN));
    let short = Some((0xa3ce_929d_0e0e_4736, SPAN));
    let (t, s) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (name, value, expected) in [
        ("traceparent", format!("00-{t}-{s}-01"), (whole, Some(true))),
        (
            "traceparent",
            format!("00-{t}-{s}-00"),
            (whole, Some(false)),
        ),
        ("traceparent", format!("00-{t}-{s}-03"), (whole, Some(true))),
        (
            "traceparent",
            format!("cc-{t}-{s}-01-more"),
            (whole, Some(true)),
        ),
        ("b3", format!("{t}-{s}-1"), (whole, Some(true))),
        ("b3", format!("{t}-{s}-d-{s}"), (whole, Some(true))),
        ("b3", format!("{t}-{s}-0"), (whole, Some(false))),
        ("b3", format!("{t}-{s}"), (whole, None)),
        ("b3", format!("a3ce929d0e0e4736-{s}-1"), (short, Some(true))),
        ("b3", "0".to_owned(), (None, Some(false))),
        ("b3", "d".to_owned(), (None, Some(true))),
        ("x-b3-sampled", "0".to_owned(), (None, Some(false))),
        ("x-b3-flags", "1".to_owned(), (None, Some(true))),
    ] {
        assert_eq!(received(&[(name, &value)]), expected, "{name}: {value}");
    }
    let b3 = [("x-b3-traceid", t), ("x-b3-spanid", s)];
    assert_eq!(received(&b3), (whole, None));
    let b3 = [b3[0], b3[1], ("x-b3-sampled", "1")];
    assert_eq!(received(&b3), (whole, Some(true)));
}

#[test]
fn a_malformed_context_is_none() {
    let (t, s) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (name, value) in [
        ("traceparent", String::new()),
        ("traceparent", "00".to_owned()),
        ("traceparent", format!("ff-{t}-{s}-01")),
        ("traceparent", format!("00-{t}-{s}-01-more")),
        ("traceparent", format!("00-{t}-{s}")),
        ("traceparent", format!("00-{t}-{s}-1")),
        ("traceparent", format!("00-{t}-{s}-0x")),
        ("traceparent", format!("00-{}-{s}-01", t.to_uppercase())),
        ("traceparent", format!("00-{}-{s}-01", "0".repeat(32))),
        ("traceparent", format!("00-{t}-{}-01", "0".repeat(16))),
        ("traceparent", format!("00-+{}-{s}-01", &t[1..])),
        ("b3", format!("{t}-{s}-x")),
        ("b3", format!("{t}1-{s}-1")),
        ("b3", "x".to_owned()),
        ("x-b3-traceid", t.to_owned()),
        ("x-b3-sampled", "2".to_owned()),
    ] {
        assert_eq!(received(&[(name, &value)]), (None, None), "{name}: {value}");
    }
    let one = format!("00-{t}-{s}-01");
    assert_eq!(
        received(&[("traceparent", &one), ("traceparent", &one)]).0,
        None
    );
}

#[test]
fn traceparent_comes_first_and_the_single_field_of_b3_second() {
    let other = "1111111111111111";
    let traceparent = format!("00-{TRACE:032x}-{SPAN:016x}-00");
    let single = format!("{TRACE:032x}-{SPAN:016x}-1");
    let multi = [("x-b3-traceid", other), ("x-b3-spanid", other)];
    let all = [
        ("traceparent", &*traceparent),
        ("b3", "1"),
        multi[0],
        multi[1],
    ];
    assert_eq!(received(&all), (Some((TRACE, SPAN)), Some(false)));
    let b3 = [
        ("traceparent", "malformed"),
        ("b3", &*single),
        multi[0],
        multi[1],
    ];
    assert_eq!(received(&b3), (Some((TRACE, SPAN)), Some(true)));
}

/// The fields behind a call's span, with its id as `SPAN` and the trace as `TRACE`.
fn written(fields: &[(&'static str, &str)], sampled: bool) -> Vec<String> {
    let mut headers = headers(fields);
    let context = Context::below(Received::of(&headers), |_| sampled);
    context.write(&mut headers);
    let ids = context.ids;
    let fields = headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap();
        let value = value.replace(&format!("{:032x}", ids.trace), "TRACE");
        format!(
            "{name}: {}",
            value.replace(&format!("{:016x}", ids.span), "SPAN")
        )
    });
    let mut fields: Vec<_> = fields.collect();
    fields.sort();
    fields
}

#[test]
fn a_span_takes_the_place_of_its_parent_in_each_field_that_the_client_uses() {
    let (t, s) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let traceparent = format!("00-{t}-{s}-03");
    let fields = [("traceparent", &*traceparent), ("tracestate", "a=b")];
    assert_eq!(
        written(&fields, true),
        ["traceparent: 00-TRACE-SPAN-03", "tracestate: a=b"]
    );
    let single = format!("{t}-{s}-d");
    assert_eq!(
        written(&[("b3", &single), ("tracestate", "a=b")], true),
        [
            &*format!("b3: TRACE-SPAN-d-{s}"),
            "traceparent: 00-TRACE-SPAN-01"
        ]
    );
    let multi = [("x-b3-traceid", t), ("x-b3-spanid", s)];
    for (sampled, digit) in [(true, 1), (false, 0)] {
        assert_eq!(
            written(&multi, sampled),
            [
                format!("traceparent: 00-TRACE-SPAN-0{digit}"),
                format!("x-b3-parentspanid: {s}"),
                format!("x-b3-sampled: {digit}"),
                "x-b3-spanid: SPAN".to_owned(),
                "x-b3-traceid: TRACE".to_owned(),
            ]
        );
    }
    assert_eq!(written(&[], true), ["traceparent: 00-TRACE-SPAN-01"]);
    assert_eq!(
        written(&[("b3", "1")], true),
        ["b3: TRACE-SPAN-1", "traceparent: 00-TRACE-SPAN-01"]
    );
}
