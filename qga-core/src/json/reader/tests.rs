use std::collections::BTreeMap;
use std::result::Result;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

mod received;
mod same;

/// Decodes as a reply is decoded.
fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    from_str(json).map_err(|misfit| format!("{}: {}", misfit.place.path, misfit.error))
}

#[derive(Debug, PartialEq, Deserialize)]
struct Entry {
    size: u32,
}

#[test]
fn an_integer_of_any_width_is_read_however_it_is_spelt() {
    assert_eq!(read::<i8>("-1.28e2"), Ok(i8::MIN));
    assert_eq!(read::<u8>("255.0"), Ok(255));
    assert_eq!(read::<i16>("1e3"), Ok(1000));
    assert_eq!(read::<u16>("1E+3"), Ok(1000));
    assert_eq!(read::<i32>("-0"), Ok(0));
    assert_eq!(read::<u32>("-0.0"), Ok(0));
    assert_eq!(
        read::<i64>("1.780007654321e+18"),
        Ok(1_780_007_654_321_000_000)
    );
    assert_eq!(read::<u64>("1.8446744073709551615e19"), Ok(u64::MAX));
    assert_eq!(read::<i128>("-1e20"), Ok(-100_000_000_000_000_000_000));
    assert_eq!(read::<u128>("1e38"), Ok(10_u128.pow(38)));
    assert_eq!(read::<usize>("7.0"), Ok(7));
    assert_eq!(read::<std::num::NonZeroU8>("7.0").unwrap().get(), 7);
}

#[test]
fn what_is_not_whole_or_out_of_range_is_an_error_that_tells_the_value() {
    let cases = [
        (
            read::<i64>("1000.5").unwrap_err(),
            "floating point `1000.5`",
        ),
        (
            read::<i64>("1e-400").unwrap_err(),
            "floating point `1e-400`",
        ),
        (read::<i64>("1e400").unwrap_err(), "floating point `1e400`"),
        (
            read::<i64>("1e99999999999999999999").unwrap_err(),
            "floating point `1e99999999999999999999`",
        ),
        (read::<f64>("1e400").unwrap_err(), "number out of range"),
        (read::<f32>("1e39").unwrap_err(), "number out of range"),
        (
            read::<i64>("1e19").unwrap_err(),
            "integer `10000000000000000000`",
        ),
        (
            read::<i64>("1e20").unwrap_err(),
            "integer `100000000000000000000`",
        ),
        (
            read::<u32>("4294967296.0").unwrap_err(),
            "integer `4294967296`",
        ),
        (
            read::<i128>("1000.5").unwrap_err(),
            "floating point `1000.5`",
        ),
        (read::<u128>("1e39").unwrap_err(), "floating point `1e39`"),
        (read::<u64>("-1e0").unwrap_err(), "integer `-1`"),
        (read::<u8>("\"1e0\"").unwrap_err(), "string \"1e0\""),
        (read::<u8>("[1e0]").unwrap_err(), "invalid type: sequence"),
        (read::<u8>("null").unwrap_err(), "invalid type: null"),
    ];
    for (error, reason) in cases {
        assert!(
            error.starts_with(".: ") && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
fn integers_are_found_wherever_they_are() {
    assert_eq!(read::<Option<i64>>("1e3"), Ok(Some(1000)));
    assert_eq!(
        read::<Vec<Option<i64>>>("[1e0, null, 2.0]"),
        Ok(vec![Some(1), None, Some(2)])
    );
    assert_eq!(read::<(u8, f64, u8)>("[1e0, 1e0, 3]"), Ok((1, 1.0, 3)));
    assert_eq!(
        read::<Entry>(r#"{"size": 1e3, "other": 0.5}"#),
        Ok(Entry { size: 1000 })
    );
    let map = BTreeMap::from([("1e1".to_owned(), vec![Entry { size: 7 }])]);
    assert_eq!(read(r#"{"1e1": [{"size": 7.0}]}"#), Ok(map));
    assert_eq!(read::<Box<[Entry]>>(r#"[{"size": 7.0}]"#).unwrap().len(), 1);
}

#[test]
fn integers_are_found_in_enums_of_every_kind() {
    #[derive(Debug, PartialEq, Deserialize)]
    enum External {
        Newtype(i64),
        Tuple(i64, i64),
        Struct { size: i64 },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type")]
    enum Internal {
        Struct { size: i64 },
        Newtype(Entry),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type", content = "value")]
    enum Adjacent {
        Newtype(i64),
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(i64),
        Text(String),
        Struct { size: i64 },
    }
    assert_eq!(read(r#"{"Newtype": 1e3}"#), Ok(External::Newtype(1000)));
    assert_eq!(
        read(r#"{"Tuple": [1e3, 2.0]}"#),
        Ok(External::Tuple(1000, 2))
    );
    assert_eq!(
        read(r#"{"Struct": {"size": 1e3}}"#),
        Ok(External::Struct { size: 1000 })
    );
    for json in [
        r#"{"type": "Struct", "size": 1e3}"#,
        r#"{"size": 1e3, "type": "Struct"}"#,
    ] {
        assert_eq!(read(json), Ok(Internal::Struct { size: 1000 }));
    }
    let newtype = Internal::Newtype(Entry { size: 1000 });
    assert_eq!(read(r#"{"size": 1e3, "type": "Newtype"}"#), Ok(newtype));
    assert_eq!(
        read(r#"{"value": 1e3, "type": "Newtype"}"#),
        Ok(Adjacent::Newtype(1000))
    );
    let large = Untagged::Number(1_780_007_654_321_000_001);
    assert_eq!(read("1780007654321000001.0"), Ok(large));
    assert_eq!(read("\"1e3\""), Ok(Untagged::Text("1e3".into())));
    assert_eq!(
        read(r#"[{"size": 1e3}, 5, {"size": 5}]"#),
        Ok(vec![
            Untagged::Struct { size: 1000 },
            Untagged::Number(5),
            Untagged::Struct { size: 5 }
        ])
    );
}

#[test]
fn integers_are_found_behind_flatten() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        id: u8,
        #[serde(flatten)]
        entry: Entry,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }
    let outer: Outer = read(r#"{"size": 7.0, "id": 1e0, "x": [0.5, "1e3"]}"#).unwrap();
    assert_eq!((outer.id, outer.entry.size), (1, 7));
    assert_eq!(outer.rest["x"], json!([0.5, "1e3"]));
}

#[test]
fn floats_and_values_and_raw_json_beside_an_integer_keep_what_they_are() {
    #[derive(Deserialize)]
    struct Mixed {
        count: u64,
        float: f64,
        value: Value,
        raw: Box<RawValue>,
        text: String,
    }
    let json = r#"{"count": 1e3, "float": -0.0, "value": [1e3, -0.0], "raw": [1e3, -0.0, 1e999, 1.10], "text": "1e3"}"#;
    let mixed: Mixed = read(json).unwrap();
    assert_eq!(mixed.count, 1000);
    assert!(mixed.float.is_sign_negative());
    assert_eq!(mixed.value, json!([1000.0, -0.0]));
    assert_eq!(mixed.raw.get(), "[1e3, -0.0, 1e999, 1.10]");
    assert_eq!(mixed.text, "1e3");
}

#[test]
fn raw_json_stays_as_it_is_also_beside_what_serde_buffers() {
    #[derive(Deserialize)]
    struct Mixed {
        entry: Vec<Buffered>,
        raw: Box<RawValue>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Buffered {
        Number(i64),
    }
    let mixed: Mixed = read(r#"{"entry": [7.0], "raw": [1e3]}"#).unwrap();
    assert!(matches!(mixed.entry[..], [Buffered::Number(7)]));
    assert_eq!(mixed.raw.get(), "[1e3]");
}

#[test]
fn the_place_of_an_error_is_that_of_what_is_wrong_and_not_of_a_spelling() {
    let error = read::<Vec<Entry>>(r#"[{"size": 1e3}, {"size": 0.5}]"#).unwrap_err();
    assert!(
        error.starts_with("[1].size: invalid type: floating point `0.5`"),
        "{error}"
    );
    let error = read::<Vec<Entry>>(r#"[{"size": 1e3}, {}]"#).unwrap_err();
    assert_eq!(error, "[1]: missing field `size`");
}

#[test]
fn what_ends_too_soon_or_is_no_json_is_not_taken_for_another_type() {
    let misfit = |json| read::<(u8, u8)>(json).unwrap_err();
    assert_eq!(misfit("[1, 2, 3]"), ".: there are more items than expected");
    assert_eq!(misfit("[1, 2 x]"), ".: this is not JSON");
    assert_eq!(misfit("[1, tru]"), "[1]: this is not JSON");
    assert!(!from_str::<u8>("true").err().unwrap().is_broken);
    assert!(from_str::<u8>("tru").err().unwrap().is_broken);
}

/// A type may take a default where something does not fit, as many people write it.
#[test]
fn what_is_no_json_is_an_error_also_for_a_type_that_bears_errors() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Tolerant {
        #[serde(deserialize_with = "size_or_zero")]
        size: u32,
        rest: u32,
    }
    #[expect(clippy::unnecessary_wraps, reason = "serde wants it so")]
    fn size_or_zero<'de, D: serde::Deserializer<'de>>(json: D) -> Result<u32, D::Error> {
        Ok(u32::deserialize(json).unwrap_or_default())
    }
    let expected = Tolerant { size: 0, rest: 7 };
    assert_eq!(read(r#"{"size": "", "rest": 7}"#), Ok(expected));
    assert!(read::<Tolerant>(r#"{"size": "\q, "rest": 7}"#).is_err());
    assert!(read::<Tolerant>(r#"{"size": -, "rest": 7}"#).is_err());
}

#[test]
fn a_name_that_should_be_a_number_is_an_error_that_tells_it() {
    for name in ["x", "", " 1", "x1", "é", "\u{ffff}"] {
        let json = format!(r#"{{"{name}": 1}}"#);
        let errors = [
            read::<BTreeMap<u8, u8>>(&json).unwrap_err(),
            read::<BTreeMap<bool, u8>>(&json).unwrap_err(),
        ];
        for error in errors {
            assert!(
                error.contains(&format!("invalid value: string {name:?}")),
                "{error}"
            );
        }
    }
}

/// The parser of floats would take the first for zero, and the second for infinite.
#[test]
fn a_float_that_is_written_without_end_is_an_error() {
    let zeros = "0".repeat(700_000);
    for json in [format!("0.{zeros}1e700001"), format!("1{zeros}e-700000")] {
        assert_eq!(read::<f64>(&json).unwrap_err(), ".: number out of range");
        assert_eq!(read::<u8>(&json), Ok(1));
    }
}

#[test]
fn what_nests_too_deep_for_buffering_is_an_error() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Nested {
        #[expect(dead_code, reason = "only its depth counts")]
        List(Vec<Nested>),
    }
    let json = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read::<Nested>(&json).is_err());
    assert!(!is_json(&json));
}

#[test]
fn an_error_tells_the_place_and_what_stands_there() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Shape {
        Round(#[expect(dead_code, reason = "it is read")] u8),
        Flat {
            #[expect(dead_code, reason = "it is read")]
            sides: (u8, u8),
        },
    }
    type Members = BTreeMap<String, Vec<Entry>>;
    #[derive(Debug, Deserialize)]
    struct Nest(#[expect(dead_code, reason = "it is read")] Vec<Nest>);
    fn place<T: DeserializeOwned>(json: &str) -> (String, &str) {
        let place = from_str::<T>(json).err().unwrap().place;
        (place.path, place.piece)
    }
    assert_eq!(place::<u8>("-1"), (".".into(), "-1"));
    let lists = place::<Vec<Vec<u8>>>("[[1], [2, 3, {}, 4], [5]]");
    assert_eq!(lists, ("[1][2]".into(), "{}"));
    let members =
        place::<Members>(r#"{"a": [], "b\u00e9": [{"size": 1}, {"size": [2]}], "c": []}"#);
    assert_eq!(members, ("bé[1].size".into(), "[2]"));
    let missing = place::<Members>(r#"{"a": [{"sizes": 1}]}"#);
    assert_eq!(missing, ("a[0]".into(), r#"{"sizes": 1}"#));
    assert_eq!(place::<Shape>(r#"{"round": 256}"#), ("round".into(), "256"));
    let flat = place::<Vec<Shape>>(r#"[{"round": 1}, {"flat": {"sides": [1, "2"]}}]"#);
    assert_eq!(flat, ("[1].flat.sides[1]".into(), r#""2""#));
    let key = place::<BTreeMap<u8, u8>>(r#"{"1": 1, "256": 2}"#);
    assert_eq!(key, ("256".into(), "2"));
    let empty = place::<BTreeMap<String, Members>>(r#"{"": {"": 7}}"#);
    assert_eq!(empty, ("\"\".\"\"".into(), "7"));
    let deepest = format!("{}{{}}{}", "[".repeat(DEEPEST - 1), "]".repeat(DEEPEST - 1));
    assert_eq!(place::<Nest>(&deepest).1, "{}");
}
