//! What the short cut of the redactor looks at, and what it decodes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::use_self,
    reason = "a test program: a failure is a panic"
)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;
use z4j_core::redact::{DefaultRedactor, Raw, RedactConfig, Redactor, Survey, redact_json};
use z4j_core::wire::RawJson;

fn redacted(redactor: &dyn Redactor, input: &str) -> String {
    let raw = Raw::new(RawJson::parse(input).unwrap());
    redact_json(redactor, "", raw).into_inner().into_owned()
}

/// Celery events without anything to hide, as a worker sends them.
fn clean_events() -> Vec<String> {
    let args = r#"{"task_name":"shop.orders.confirm","queue":"orders","worker":"celery@web-1","args":[7,"order-7"],"kwargs":{"customer":{"id":7,"tier":"gold"},"items":[{"sku":"A-7","count":2,"price":19.5}],"note":"leave at the door, ring twice","trace":"0000000000000000000000000000d889","locale":"de-DE"},"root_task_id":"71e9c7ed-3365-4748-86ed-6f2c32a2fba5","tags":["orders","checkout"]}"#;
    let delivery = r#"{"task_name":"shop.orders.confirm","queue":"orders","worker":"celery@web-1","args":null,"pool":"prefork","sent_from":"checkout-frontend","eta":"2026-11-23T10:00:00.123456+00:00","delivery":{"exchange":"","routing_key":"orders","redelivered":false},"labels":{"team":"fulfilment","region":"eu-central"}}"#;
    let result = json!({"task_name": "shop.orders.confirm", "result": "{'order': 7, 'state': 'confirmed', 'total': 44.75, 'shipment': {'carrier': 'parcel', 'label': 'L-7', 'weight_g': 1250}, 'warnings': [], 'slot': '2026-11-23T10:00', 'stock_after': {'A': 118, 'B': 4}}", "runtime_ms": 47});
    let failure = json!({"exception": "OutOfStock", "traceback": "Traceback (most recent call last):\n  File \"celery/app/trace.py\", line 453, in trace_task\n    R = retval = fun(*args, **kwargs)\n  File \"shop/stock.py\", line 57, in reserve\n    raise OutOfStock(sku)\nshop.stock.OutOfStock: nothing left of A-7, 100 % gone"});
    let umlauts = json!({"kwargs": {"note": "bitte klingeln \u{2013} d\u{e9}j\u{e0} vu, Gr\u{fc}\u{df}e \u{1F600}", "city": "\u{6771}\u{4eac}"}});
    let escaped = r#"{"kwargs":{"note":"Gr\u00fc\u00dfe \ud83d\ude00","city":"\u6771\u4eac"}}"#;
    vec![
        args.to_owned(),
        delivery.to_owned(),
        result.to_string(),
        failure.to_string(),
        umlauts.to_string(),
        escaped.to_owned(),
    ]
}

#[test]
fn clean_events_cost_no_question_to_a_rule() {
    for event in clean_events() {
        let (survey, work) = DefaultRedactor::strict().survey_counted(&event);
        assert_eq!((survey, work.judged_bytes), (Survey::Keep, 0), "{event}");
        assert!(
            work.swept_bytes >= 2 * event.len(),
            "{work:?} of {}",
            event.len()
        );
    }
}

#[test]
fn one_address_costs_one_question() {
    let mail = "person7@example.org";
    let event = clean_events()[0].replace("gold", mail);
    let (survey, work) = DefaultRedactor::strict().survey_counted(&event);
    let at = event.find(mail).unwrap();
    let place = at - 1..at + mail.len() + 1;
    assert_eq!(survey, Survey::Mask(Vec::from([place])));
    assert_eq!(work.judged_bytes, "tier".len() + mail.len());
}

/// Text that makes a careless search look at the same bytes again and again.
fn hostile() -> Vec<String> {
    [
        "eyJa.eyJa-",
        "a.b+c@d-e.f.",
        "redis://a:b:",
        "Bearer  ",
        "h\u{e9}llo \u{2603} \u{438} ",
        "key",
        "routing_key ",
        "'key': ",
        "\\\"key",
        "sk",
        "SK0",
        "4111",
        "4111 ",
        "123-45-678",
        "a@",
        "@a.b",
        "%4",
        "%2525",
        "\\",
        "\\\\\\",
        "\"",
        "'\": ",
        "aGVsbG8gd29ybGQs",
        "////",
        "_-",
        "\\u00",
        "\\\\u",
        "pass",
        "api",
        "\u{200B}",
        "{'a': ",
        " : ",
        "'a' :",
    ]
    .map(str::to_owned)
    .into()
}

/// Surveys text of any length, and where `patterns` is false asks rules that never hit, so that nothing ends it early.
fn uncut(patterns: bool) -> DefaultRedactor {
    let config = RedactConfig {
        default_patterns_enabled: patterns,
        max_value_bytes: usize::MAX,
        ..RedactConfig::default()
    };
    DefaultRedactor::strict_with_config(&config).unwrap()
}

fn work_per_byte(redactor: &DefaultRedactor, json: &str) -> f64 {
    let (_, work) = redactor.survey_counted(json);
    (work.swept_bytes + work.judged_bytes) as f64 / json.len() as f64
}

/// Puts a text into a document.
type Around = fn(&str) -> String;

#[test]
fn work_per_byte_does_not_grow_with_the_text() {
    let shapes: [(usize, Around); 4] = [
        (1 << 20, |text| json!([text]).to_string()),
        (1 << 16, |text| {
            json!({ "note": text, "tail": "x" }).to_string()
        }),
        (1 << 16, |text| json!({ text: 1 }).to_string()),
        (1 << 16, |text| {
            format!("[{}1]", format!("{},", json!(text)).repeat(8))
        }),
    ];
    for part in hostile() {
        for (bytes_max, shape) in shapes {
            let redactor = uncut(bytes_max < 1 << 20);
            let sized = |bytes: usize| shape(&part.repeat(1 + bytes / part.len()));
            let small = work_per_byte(&redactor, &sized(1 << 10));
            let large = work_per_byte(&redactor, &sized(bytes_max));
            assert!(
                large < 1.5 * small.max(2.0),
                "{part:?}: {small:.1} a byte, then {large:.1}"
            );
            assert!(large < 40.0, "{part:?}: {large:.1} a byte");
        }
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// JSON text of a plain string with some of its letters escaped.
fn escaped(text: &str) -> String {
    let letter = |char| match char {
        'k' | '@' | '4' => format!("\\u{:04x}", u32::from(char)),
        '/' => "\\/".to_owned(),
        _ => char.to_string(),
    };
    format!("\"{}\"", text.chars().map(letter).collect::<String>())
}

#[test]
fn a_secret_in_another_spelling_is_hidden() {
    let secrets = [
        r#"{"password": "hunter2"}"#,
        "{'db_password': 'hunter2'}",
        "redis://:hunter2@host/0",
        "ann.other@example.org",
        "AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "https://host/?a=1&access_token=abc",
        "Authorization: Basic dXNlcjpwYXNz",
        "h\u{e9}, {'token': 'x'}",
    ];
    for secret in secrets {
        for text in [
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            percent(secret),
            STANDARD.encode(STANDARD.encode(secret)),
            percent(&percent(secret)),
            percent(&STANDARD.encode(secret)),
            STANDARD.encode(percent(secret)),
            format!("body={}&x=1", URL_SAFE_NO_PAD.encode(secret)),
            format!("data:application/json;base64,{}", STANDARD.encode(secret)),
        ] {
            let input = json!({"args": [{"body": text}], "n": 1}).to_string();
            assert_eq!(
                redacted(&DefaultRedactor::strict(), &input),
                r#"{"args":[{"body":"[REDACTED]"}],"n":1}"#,
                "{secret} as {text}"
            );
        }
        let in_json = json!([escaped(secret)]).to_string();
        assert_eq!(
            redacted(&DefaultRedactor::strict(), &in_json),
            r#"["[REDACTED]"]"#,
            "{in_json}"
        );
    }
}

#[test]
fn innocent_text_in_another_spelling_stays() {
    let texts = [
        STANDARD.encode("hello world, this is nothing but a greeting"),
        STANDARD.encode(r#"{"order": 7, "state": "confirmed", "author": "x", "token_count": 5}"#),
        URL_SAFE_NO_PAD.encode([
            0x89, b'P', b'N', b'G', 13, 10, 26, 10, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0,
        ]),
        STANDARD.encode(STANDARD.encode("two layers around nothing at all")),
        "7f3b9c0a55d24e1f8a6b7c8d9e0f1a2b7f3b9c0a55d24e1f8a6b7c8d9e0f1a2b".to_owned(),
        "q=shoes%20and%20socks&page=2&sort=price%2Casc".to_owned(),
        "https://shop.example/a%20b?next=%2Forders%2F7".to_owned(),
        "100%25 of 3%".to_owned(),
        r"C:\users\new\u00e9".to_owned(),
        r#"{"path": "a\/b", "name": "Gr\u00fc\u00dfe"}"#.to_owned(),
        "c".repeat(4000),
    ];
    for text in texts {
        let input = json!({ "args": [text] }).to_string();
        assert_eq!(redacted(&DefaultRedactor::strict(), &input), input);
    }
}
