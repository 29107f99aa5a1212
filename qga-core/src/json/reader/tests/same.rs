//! What is read is what `serde_json` reads.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{Reader, from_str, is_json};

#[derive(Debug, Deserialize, PartialEq)]
enum Shape {
    Point,
    Circle(u8),
    Line(i8, f32),
    Square { side: Option<u64>, name: String },
}

#[derive(Debug, Deserialize, PartialEq)]
struct Unit;

#[derive(Debug, Deserialize, PartialEq)]
struct Pair(bool, char);

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    A,
    B,
}

/// A field that takes what comes, as many people write it.
#[derive(Debug, Deserialize, PartialEq)]
struct Tolerant {
    #[serde(deserialize_with = "number_or_zero")]
    a: u64,
    b: Option<Value>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants it so")]
fn number_or_zero<'de, D: serde::Deserializer<'de>>(json: D) -> Result<u64, D::Error> {
    Ok(u64::deserialize(json).unwrap_or_default())
}

/// Both read the same, or neither does.
#[track_caller]
fn check<T: DeserializeOwned + PartialEq + Debug>(json: &str) {
    assert_eq!(
        from_str::<T>(json).ok(),
        serde_json::from_str(json).ok(),
        "{json:?}"
    );
    let mut unchecked = Reader::of_unchecked(json.as_bytes());
    let unchecked = unchecked.whole(|reader| T::deserialize(reader)).ok();
    let mut text = Reader::of_text(json);
    assert_eq!(
        unchecked,
        text.whole(|reader| T::deserialize(reader)).ok(),
        "{json:?}"
    );
}

/// Many types at once.
#[track_caller]
fn check_all(json: &str) {
    check::<Value>(json);
    check::<bool>(json);
    check::<f64>(json);
    check::<f32>(json);
    check::<char>(json);
    check::<String>(json);
    check::<()>(json);
    check::<Unit>(json);
    check::<Pair>(json);
    check::<HashMap<String, Value>>(json);
    check::<BTreeMap<bool, Value>>(json);
    check::<BTreeMap<Key, Value>>(json);
    // Only we take these for integers.
    if !serde_json::from_str(json).is_ok_and(|value| has_float(&value)) {
        check::<u8>(json);
        check::<i128>(json);
        check::<u128>(json);
        check::<Shape>(json);
        check::<Vec<Shape>>(json);
        check::<Option<Vec<Option<u64>>>>(json);
        check::<BTreeMap<u8, Value>>(json);
        check::<(u8, String)>(json);
    }
    // Of what is no JSON, this type makes `serde_json` read a part.
    if is_json(json) {
        check::<Tolerant>(json);
    }
    let raw: Result<&RawValue, _> = serde_json::from_str(json);
    let ours: Option<&RawValue> = from_str(json).ok();
    assert_eq!(
        ours.map(RawValue::get),
        raw.ok().map(RawValue::get),
        "{json:?}"
    );
    assert_eq!(
        is_json(json),
        serde_json::from_str::<IgnoredAny>(json).is_ok(),
        "{json:?}"
    );
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(list) => list.iter().any(has_float),
        Value::Object(object) => object.values().any(has_float),
        _ => false,
    }
}

const CASES: &[&str] = &[
    // Words.
    "null",
    "true",
    "false",
    " \t\r\n null \t\r\n",
    "nul",
    "nulll",
    "tru",
    "True",
    "falsey",
    "truefalse",
    "",
    " ",
    "\u{feff}null",
    "null null",
    "NaN",
    "Infinity",
    "undefined",
    // Numbers.
    "0",
    "7",
    "255",
    "256",
    "-1",
    "-128",
    "18446744073709551615",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "0.5",
    "-0.5",
    "1.5e3",
    "1E-2",
    "1e+2",
    "2.5e-324",
    "1.7976931348623157e308",
    "1e309",
    "-1e309",
    "3.5e38",
    "0.1",
    "123456789.123456789",
    "1e999999999999",
    "1e-999999999999",
    "00",
    "01",
    "-",
    "-a",
    "+1",
    ".5",
    "5.",
    "1.e2",
    "1e",
    "1e+",
    "0x1",
    "1_0",
    "--1",
    "1-",
    "-01",
    "1.2.3",
    "1e2e3",
    // Strings.
    r#""""#,
    r#""a""#,
    r#""é""#,
    r#""\u00e9""#,
    r#""\ud83d\ude00""#,
    r#""\"\\\/\b\f\n\r\t""#,
    r#""\x""#,
    r#""\u12""#,
    r#""\u123g""#,
    r#""\u+123""#,
    r#""\"#,
    r#"""#,
    r#""a"#,
    "\"\t\"",
    "\"\u{7f}\"",
    "\"\u{0}\"",
    "\"\n\"",
    r#""a" "b""#,
    "'a'",
    r#""1234567""#,
    r#""12345678""#,
    r#""123456789""#,
    r#""aaaaaaaaaaaaaaa\"aaaaaaaaaaaaaaa""#,
    "\"aaaaaaaaaaaaaa\u{1f}a\"",
    // Lists.
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[,]",
    "[1,,2]",
    "[1 2]",
    "[",
    "[1",
    "[1,",
    "]",
    "[}",
    "[1}",
    "[[], [[]]]",
    "[null, 1, 2]",
    "[7, \"a\"]",
    "[7, \"a\", 1]",
    "[7]",
    "[true, \"x\"]",
    "[true, \"xy\"]",
    "[\"Point\"]",
    "[[[[[[[[[[]]]]]]]]]]",
    // Objects.
    "{}",
    "{ }",
    r#"{"a": 1}"#,
    r#"{"a": 1,}"#,
    r#"{,"a": 1}"#,
    r#"{"a" 1}"#,
    r#"{"a":}"#,
    r#"{"a"}"#,
    "{1: 2}",
    "{a: 1}",
    "{",
    r#"{"a": 1"#,
    r#"{"a": 1]"#,
    r#"{"a": 1 "b": 2}"#,
    r#"{"a": 1, "a": 2}"#,
    r#"{"\u0061": 1}"#,
    r#"{"1": 1, "255": []}"#,
    r#"{"256": 1}"#,
    r#"{"-1": 1}"#,
    r#"{" 1": 1}"#,
    r#"{"1 ": 1}"#,
    r#"{"true ": 1}"#,
    r#"{"": 1}"#,
    r#"{"01": 1}"#,
    r#"{{"A": null}: 1}"#,
    r#"{{"A": 1}: 1, "B": 2}"#,
    "{[1, 2]: 3}",
    r#"{"A" : 1}"#,
    r#"{"true": 1, "false": {}}"#,
    r#"{"A": 1, "B": 2}"#,
    r#"{"C": 1}"#,
    // What is read though it is of another kind.
    r#"{"a": null, "b": 1}"#,
    r#"{"a": true, "b": 1}"#,
    r#"{"a": false}"#,
    r#"{"a": "x", "b": []}"#,
    r#"{"a": -7, "b": 1}"#,
    r#"{"a": 1.5}"#,
    r#"{"a": tru, "b": 1}"#,
    r#"{"a": {}, "b": 1}"#,
    // Variants.
    r#""Point""#,
    r#""Circle""#,
    r#""Other""#,
    r#"{"Point": null}"#,
    r#"{"Point": 1}"#,
    r#"{"Circle": 7}"#,
    r#"{"Circle": 7, "Point": null}"#,
    r#"{"Circle": 7,}"#,
    r#"{"Circle"}"#,
    r#"{"Line": [1, 2.5]}"#,
    r#"{"Line": [1]}"#,
    r#"{"Line": [1, 2, 3]}"#,
    r#"{"Square": {"side": null, "name": "a"}}"#,
    r#"{"Square": {"name": "\u0061", "x": [{}]}}"#,
    r#"{"Square": [1, "a"]}"#,
    r#"{"Square": {"side": 1}}"#,
    r#"{"Square": {"name": 1}}"#,
    r#"["Point", {"Circle": 1}, {"Line": [-1, 1e2]}]"#,
];

#[test]
fn every_kind_of_value_and_every_kind_of_mistake_is_read_as_serde_json_reads_it() {
    CASES.iter().copied().for_each(check_all);
}

/// Where one byte of it is another, or missing.
#[test]
fn what_was_damaged_is_read_as_serde_json_reads_it() {
    let json = r#"[{"Square": {"side": 10, "name": "a\n\u00e9 long enough"}}, "Point", [-1.5e2, true, null]]"#;
    for at in 0..json.len() {
        let (before, after) = json.split_at(at);
        check_all(before);
        let after = &after[1..];
        check_all(&format!("{before}{after}"));
        for other in "\"\\{}[],:0e.-u \t\u{1}x".chars() {
            check_all(&format!("{before}{other}{after}"));
        }
    }
}

/// At each place in a word and beyond it.
#[test]
fn a_string_ends_where_it_ends() {
    for length in 0..200 {
        let text = "x".repeat(length);
        for rest in [
            "", "\\n", "\u{1f}", "é", "\\\"", "\u{7f}", "!", "#", "[", "]", " ",
        ] {
            for end in ["\"", "", "\"]", "\",\"a\""] {
                let json = format!("\"{text}{rest}{end}");
                check::<String>(&json);
                check::<Value>(&format!("[{json}]"));
            }
        }
    }
}

#[test]
fn half_a_character_becomes_the_replacement_character() {
    let cases = [
        (r#""a\udcffb""#, "a\u{FFFD}b"),
        (r#""\uD83D""#, "\u{FFFD}"),
        (r#""\uD83D\uD83D\uDE00""#, "\u{FFFD}\u{1F600}"),
        (r#""\uDE00\\""#, "\u{FFFD}\\"),
        (r#""\uD83Dx\uDE00""#, "\u{FFFD}x\u{FFFD}"),
        (r#""\uD83D\n""#, "\u{FFFD}\n"),
        (r#""\uD83D\u0041""#, "\u{FFFD}A"),
    ];
    for (json, expected) in cases {
        assert_eq!(from_str::<String>(json).ok().unwrap(), expected);
        let raw: &RawValue = from_str(json).ok().unwrap();
        assert_eq!(raw.get(), json);
    }
    assert!(from_str::<String>(r#""\uD83D\u12""#).is_err());
}
