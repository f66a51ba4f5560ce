//! Name-value pairs, as php-fpm reads them.

use grpc_fcgi_proxy::fastcgi::pair::ParamsEncoder;

const PARAMS: u8 = 4;

/// Encoded pairs decode to the same pairs, none of which spans two records.
pub fn check(input: &[u8]) {
    let mut params = ParamsEncoder::begin(Vec::new());
    let mut pushed = Vec::new();
    for (name, value) in pairs(input) {
        if params.push(name.as_bytes(), &value).is_ok() {
            pushed.push((name.into_bytes(), value));
        } else {
            assert!(name.len() + value.len() + 8 > 65_535, "{name} would fit");
        }
    }
    let encoded = params.end();
    let mut decoded = Vec::new();
    let mut rest = &encoded[..];
    loop {
        let (header, behind) = rest.split_at(8);
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        assert_eq!(
            (&header[..4], &header[6..]),
            (&[1, PARAMS, 0, 1][..], &[0, 0][..])
        );
        if length == 0 {
            assert!(behind.is_empty(), "bytes follow the end");
            break;
        }
        let (mut content, behind) = behind.split_at(length);
        while !content.is_empty() {
            decoded.push(take(&mut content));
        }
        rest = behind;
    }
    assert_eq!(decoded, pushed);
}

/// A pair of each four bytes: the length of its name, the length of its value, and the byte that the value repeats.
fn pairs(input: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    input.chunks_exact(4).map(|bytes| {
        let letter = char::from(b'A' + bytes[0] % 26);
        let name = letter.to_string().repeat(bytes[0].into());
        let length = u16::from_be_bytes([bytes[1], bytes[2]]);
        (name, vec![bytes[3]; length.into()])
    })
}

/// FastCGI 1.0, section 3.4.
fn take(content: &mut &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut length = || match content[0] {
        short @ ..0x80 => {
            *content = &content[1..];
            usize::from(short)
        }
        _ => {
            let long = u32::from_be_bytes([content[0] & 0x7f, content[1], content[2], content[3]]);
            assert!(long >= 0x80, "a short length takes one byte");
            *content = &content[4..];
            usize::try_from(long).unwrap()
        }
    };
    let (name, value) = (length(), length());
    let pair = (
        content[..name].to_vec(),
        content[name..name + value].to_vec(),
    );
    *content = &content[name + value..];
    pair
}
