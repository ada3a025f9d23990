//! Requests that nobody in their right mind sends.

use std::fmt::{self, Write};

use axum::http::{Method, header};
use bytes::Bytes;
use http_body_util::Full;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::document::Operation;
use crate::support::Client;

/// Texts that mean something to some route.
const WORDS: [&str; 14] = [
    "closed",
    "open",
    "half_open",
    "forced_open",
    "disabled",
    "metrics_only",
    "1ms",
    "30s",
    "0s",
    "-1s",
    "99999999999y",
    "never",
    "NaN",
    "payment",
];

/// A request to be sent.
#[derive(Clone)]
pub(super) struct Odd {
    pub(super) method: Method,
    /// And query.
    target: String,
    headers: Vec<(header::HeaderName, &'static str)>,
    body: Vec<u8>,
}

impl fmt::Debug for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(300)];
        write!(f, "{} {} {:?}, {} bytes: ", self.method, self.target, self.headers, self.body.len())?;
        write!(f, "{}", shown.escape_ascii())
    }
}

impl Odd {
    pub(super) fn build(&self, client: &Client) -> axum::http::Request<Full<Bytes>> {
        let request = client.request(self.method.clone(), &self.target);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
        request.body(Full::new(self.body.clone().into())).expect("a request that can be sent")
    }
}

/// The request that `operation`'s own description gives as an example.
pub(super) fn example(operation: &Operation) -> Odd {
    let body = operation.body.as_ref().map(Value::to_string).unwrap_or_default().into_bytes();
    let headers = vec![(header::CONTENT_TYPE, "application/json")];
    Odd { method: operation.method.clone(), target: operation.path(str::to_owned), headers, body }
}

/// Anything that could be sent to `operation`'s route.
pub(super) fn odd(operation: &Operation) -> impl Strategy<Value = Odd> + use<> {
    let path = {
        let operation = operation.clone();
        segment().prop_map(move |segment| operation.path(|example| segment.clone().unwrap_or(example.to_owned())))
    };
    let target = (path, query(operation.query.clone())).prop_map(|(path, query)| path + &query);
    let method = prop_oneof![
        9 => Just(operation.method.clone()),
        1 => select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
            .prop_map(|name| name.parse().expect("a method")),
    ];
    let body = match &operation.body {
        Some(example) => body(example.clone()).boxed(),
        None => prop_oneof![4 => Just(Vec::new()), 1 => noise()].boxed(),
    };
    (method, target, headers(), body).prop_map(|(method, target, headers, body)| Odd { method, target, headers, body })
}

/// What takes a path parameter's place, if not its example.
fn segment() -> impl Strategy<Value = Option<String>> {
    let encoded = |bytes: Vec<u8>| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "%{byte:02x}").expect("a string takes everything");
            text
        })
    };
    prop_oneof![
        6 => Just(None),
        1 => prop::collection::vec(any::<u8>(), 1..24).prop_map(encoded).prop_map(Some),
        1 => "\\PC{1,16}".prop_map(move |text| encoded(text.into_bytes())).prop_map(Some),
        1 => "[a-zA-Z0-9._:~!$&'()*+,;=@-]{1,70}".prop_map(Some),
        1 => select(vec!["", ".", "..", "%", "%2", "%zz", "%00", "%2f", "%2e%2e%2f%2e%2e", "a/b", "//", "%ff%fe", "-", "null"])
            .prop_map(str::to_owned).prop_map(Some),
        1 => (1..20_000_usize).prop_map(|length| "x".repeat(length)).prop_map(Some),
    ]
}

fn query(names: Vec<String>) -> impl Strategy<Value = String> {
    let names: Vec<_> = names.into_iter().chain(["", "x", "limit[]", "__proto__"].map(str::to_owned)).collect();
    let pair = (select(names), "[a-zA-Z0-9%+.~=;/?:@_-]{0,24}").prop_map(|(name, value)| format!("{name}={value}"));
    prop_oneof![
        2 => Just(String::new()),
        2 => prop::collection::vec(pair, 0..6).prop_map(|pairs| format!("?{}", pairs.join("&"))),
        1 => "[!-~&&[^#<>\"\\\\^`{|}]]{0,64}".prop_map(|text| format!("?{text}")),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(header::HeaderName, &'static str)>> {
    let kind = prop_oneof![
        24 => Just(Some("application/json")),
        1 => Just(None),
        2 => select(vec![
            "application/json; charset=utf-16", "application/merge-patch+json", "APPLICATION/JSON", "text/plain", "json", "",
            "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/jsonp", ";", "é",
        ]).prop_map(Some),
    ];
    let encoding = prop_oneof![16 => Just(None), 1 => select(vec!["gzip", "identity", "br, gzip", ""]).prop_map(Some)];
    let key = prop_oneof![
        12 => Just(None),
        3 => Just(Some("demo-harbour-ada")),
        1 => select(vec!["", "demo-harbour-eve", "schlüssel", "demo-harbour-ada, demo-harbour-ben"]).prop_map(Some),
    ];
    // A deadline in between would leave open what was done.
    let timeout = prop_oneof![16 => Just(None), 1 => select(vec!["0", "soon", "-1", "60000"]).prop_map(Some)];
    (kind, encoding, key, timeout).prop_map(|(kind, encoding, key, timeout)| {
        let named = [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_ENCODING, encoding),
            (header::HeaderName::from_static("x-api-key"), key),
            (header::HeaderName::from_static("x-request-timeout-ms"), timeout),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    })
}

/// The example, more or less mutilated; or anything else.
fn body(example: Value) -> impl Strategy<Value = Vec<u8>> {
    let text = example.to_string();
    let cut = {
        let text = text.clone();
        any::<Index>().prop_map(move |at| text.as_bytes()[..at.index(text.len())].to_vec())
    };
    let twice = {
        // Each field of the object, once more with another value.
        let fields: Vec<_> = example.as_object().expect("an object").keys().cloned().collect();
        let text = text.clone();
        (select(fields), json_value())
            .prop_map(move |(field, value)| text.replacen('{', &format!("{{{}:{value},", json!(field)), 1).into_bytes())
    };
    prop_oneof![
        1 => noise(),
        2 => damaged(text.clone().into_bytes()),
        2 => json_value().prop_map(|value| value.to_string().into_bytes()),
        2 => reworded(example.clone()),
        6 => misfilled(example),
        3 => odd_text(text),
        1 => cut,
        1 => twice,
    ]
}

/// Any bytes at all.
pub(super) fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..256)
}

/// `good` with some of its bytes changed.
pub(super) fn damaged(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = good.len();
    prop::collection::vec((0..length, any::<u8>()), 1..6).prop_map(move |changes| {
        let mut bytes = good.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes
    })
}

/// Any JSON value, small but odd.
pub(super) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (-2..12_i32).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        select(WORDS.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// `good` with any values in some of its places, and some places taken away.
pub(super) fn misfilled(good: Value) -> impl Strategy<Value = Vec<u8>> {
    let mut places = Vec::new();
    list_places(&good, String::new(), &mut places);
    let value = prop_oneof![2 => json_value(), 1 => select(WORDS.to_vec()).prop_map(Value::from)];
    let change = (select(places), prop::option::weighted(0.9, value));
    prop::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut body = good.clone();
        for (place, value) in changes {
            match value {
                Some(value) => {
                    if let Some(field) = body.pointer_mut(&place) {
                        *field = value;
                    }
                }
                None => take_away(&mut body, &place),
            }
        }
        body.to_string().into_bytes()
    })
}

/// `good` with words in some of its places, and some places taken away: often something that is taken.
fn reworded(good: Value) -> impl Strategy<Value = Vec<u8>> {
    let mut places = Vec::new();
    list_places(&good, String::new(), &mut places);
    places.pop();
    let change = prop_oneof![Just(None), select(WORDS.to_vec()).prop_map(|word| Some(Some(word))), Just(Some(None))];
    prop::collection::vec(change, places.len()).prop_map(move |changes| {
        let mut body = good.clone();
        for (place, change) in places.iter().zip(changes) {
            match change {
                None => {}
                Some(None) => take_away(&mut body, place),
                Some(Some(word)) => body.pointer_mut(place).into_iter().for_each(|field| *field = word.into()),
            }
        }
        body.to_string().into_bytes()
    })
}

/// The JSON pointers to everything within `value`.
fn list_places(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| list_places(inner, format!("{at}/{name}"), places));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| list_places(inner, format!("{at}/{index}"), places));
        }
        _ => {}
    }
    places.push(at);
}

fn take_away(body: &mut Value, place: &str) {
    let Some((parent, name)) = place.rsplit_once('/') else { return };
    if let Some(fields) = body.pointer_mut(parent).and_then(Value::as_object_mut) {
        fields.remove(name);
    }
}

/// Texts that are nearly JSON, or JSON at its edges, alone and in the place of one of `good`'s values.
fn odd_text(good: String) -> impl Strategy<Value = Vec<u8>> {
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    let mut texts: Vec<Vec<u8>> = [
        "NaN",
        "-Infinity",
        "1e999",
        "-1e-999",
        "-0",
        "00",
        "1.",
        ".5",
        "0x10",
        "1_000",
        "+1",
        "'a'",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "\"\\x41\"",
        "\u{feff}{}",
        "{}{}",
        "{},",
        "{\"\":{}}",
        "[{}]",
        "null",
        "true",
        "\"\"",
        "{\"a\":1,}",
        "/**/{}",
        "\0",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    texts.push("9".repeat(10_000).into_bytes());
    texts.push(b"\"\xff\"".to_vec());
    for depth in [120, 130, 5_000] {
        texts.push(nested("[", "]", depth).into_bytes());
        texts.push(nested("{\"a\":", "}", depth).into_bytes());
        texts.push(b"[".repeat(depth));
    }
    let values: Vec<_> = good.match_indices(':').map(|(at, _)| at + 1).collect();
    let embedded = (select(texts.clone()), any::<Index>()).prop_map(move |(text, at)| {
        // The value ends at the next comma or brace; where a text has one, the rest is odd besides.
        let from = *at.get(&values);
        let length = good[from..].find([',', '}']).unwrap_or_default();
        let good = good.as_bytes();
        [&good[..from], &text, &good[from + length..]].concat()
    });
    let too_large = (1024 * 1024 - 1..1024 * 1024 + 2_usize).prop_map(|length| b" ".repeat(length));
    prop_oneof![40 => select(texts), 60 => embedded, 4 => too_large]
}
