//! Generated code for one of everything: it is as checked in, compiles, and does what it should.

use std::path::{Path, PathBuf};

use generated::figures::{
    Bare, Figure, FigureKind, Kind, Limits, Parcel, ParcelKind, Reset, Round, Send, Square,
};
use generated::things::{Find, Put, Shape, Stop, Where};
use qga_codegen::{Config, Location, Schema, drift, generate};
use qga_core::{QgaCommand, Reply, RetryClass};
use serde::{Deserialize, Serialize};
use serde_json::{Value, from_value, json, to_value};

#[allow(dead_code, unreachable_pub, reason = "a crate would show all of it")]
mod generated;

/// Stands for a type that is written by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hex(String);

impl AsRef<[u8]> for Hex {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<&str> for Hex {
    fn from(text: &str) -> Self {
        Self(format!("0x{text}"))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/shapes")
}

fn arguments<C: QgaCommand>(command: &C) -> Value {
    to_value(command.arguments().unwrap()).unwrap()
}

#[test]
fn the_checked_in_code_is_what_is_generated() {
    let schema = Schema::read(&folder().join("shapes.json")).unwrap();
    let config = Config::read(&folder().join("shapes.toml")).unwrap();
    let files = generate(&schema, &config).unwrap();
    assert_eq!(drift(&folder().join("generated"), &files).unwrap(), []);
}

#[test]
fn arguments_come_from_a_struct_and_its_base() {
    let put = Put::new("a", Square::new(7).unit("cm")).bytes(*b"hi");
    let expected = json!({
        "name": "a",
        "figure": {"side-length": 7, "unit": "cm"},
        "bytes": "aGk=",
    });
    assert_eq!(arguments(&put), expected);
    assert_eq!(
        (Put::NAME, Put::RETRY),
        ("acme-put", RetryClass::AfterResync)
    );
}

#[test]
fn arguments_that_are_keywords_have_other_names_in_rust_only() {
    let find = Find::new(Kind::Solid, ["b"]).again(true);
    let expected = json!({"where": "3d", "second-of-all-the-long-names": ["b"], "loop": true});
    assert_eq!(arguments(&find), expected);
    let find = Find::new(3, ["b"; 0]).secret("ff");
    let expected = json!({"where": 3, "second-of-all-the-long-names": [], "secret": "0xff"});
    assert_eq!(arguments(&find), expected);
}

#[test]
fn a_command_without_an_answer_says_so() {
    assert_eq!(Stop::REPLY, Reply::OnErrorOnly);
    assert!(Stop.arguments().is_none());
}

#[test]
fn a_union_with_more_members_is_a_struct_with_a_kind() {
    let square = json!({"id": 1, "kind": "square", "side-length": 2});
    let figure: Figure = from_value(square.clone()).unwrap();
    assert_eq!(figure.id, 1);
    assert_eq!(figure.kind, FigureKind::Square(Square::new(2)));
    assert_eq!(to_value(&figure).unwrap(), square);
}

#[test]
fn a_branch_that_is_not_known_is_kept_as_it_was_written() {
    let pyramid = r#"{"id":1,"kind":"3d","height":{"mm": [7.10, 1e999]},"more":28888888888888888888888888888888888}"#;
    let figure: Figure = serde_json::from_str(pyramid).unwrap();
    assert_eq!(figure.id, 1);
    assert!(matches!(&figure.kind, FigureKind::Unknown(all)
        if all.get("height") == Some(r#"{"mm": [7.10, 1e999]}"#) && all.get("id").is_none()));
    assert_eq!(serde_json::to_string(&figure).unwrap(), pyramid);
    let bare = r#"{"kind":"moebius","sides":1.0}"#;
    let known: Bare = serde_json::from_str(bare).unwrap();
    assert_eq!(serde_json::to_string(&known).unwrap(), bare);
    let value: Value = serde_json::from_str(bare).unwrap();
    assert_eq!(
        to_value(from_value::<Bare>(value.clone()).unwrap()).unwrap(),
        value
    );
}

#[test]
fn a_branch_that_is_known_and_broken_is_an_error() {
    let error = from_value::<Bare>(json!({"kind": "round"})).unwrap_err();
    assert_eq!(error.to_string(), "missing field `radius`");
    let error = from_value::<Bare>(json!({"radius": 1})).unwrap_err();
    assert_eq!(error.to_string(), "missing field `kind`");
    let error = from_value::<Bare>(json!({"kind": "round", "radius": "x"})).unwrap_err();
    assert!(
        error.to_string().starts_with("`radius`: invalid type"),
        "{error}"
    );
    let error = from_value::<Figure>(json!({"id": "x", "kind": "3d"})).unwrap_err();
    assert!(
        error.to_string().starts_with("`id`: invalid type"),
        "{error}"
    );
}

#[test]
fn the_integers_of_a_union_are_numbers_however_they_are_spelt() {
    let figure: Figure =
        serde_json::from_str(r#"{"id": 1e0, "kind": "square", "side-length": 2.0}"#).unwrap();
    assert_eq!(figure.id, 1);
    assert_eq!(figure.kind, FigureKind::Square(Square::new(2)));
}

#[test]
fn contents_and_secrets_are_not_shown() {
    let put = Put::new("a", Square::new(7)).bytes(*b"hi");
    assert_eq!(format!("{:?}", put.bytes), "Some([104, 105])");
    let shown = format!("{put:?}");
    assert!(
        shown.starts_with("Put { name: \"a\", figure: Square"),
        "{shown}"
    );
    assert!(shown.ends_with("bytes: Some(<2 bytes>) }"), "{shown}");

    let find = Find::new(3, ["b"]).secret("ff");
    let expected = "Find { place: Index(3), first_of_all_the_long_names: None, secret: <hidden>, \
                    second_of_all_the_long_names: <1 item>, again: None }";
    assert_eq!(format!("{find:?}"), expected);

    let parcel = Parcel::new(
        1.5,
        Limits::new().default(3),
        ParcelKind::Square(Square::new(2)),
    );
    let shown = format!("{:?}", parcel.clone().inner(parcel));
    assert!(shown.contains("limits: <hidden>, kind: Square"), "{shown}");
}

#[test]
fn a_union_whose_base_has_a_name_holds_what_the_base_holds() {
    let kind = || ParcelKind::Square(Square::new(2));
    let inner = Parcel::new(0.5, Limits::new(), kind());
    let parcel = Parcel::new(1.5, Limits::new().default(3), kind()).inner(inner);
    let square = json!({"kind": "square", "side-length": 2});
    let mut expected = square.clone();
    expected["share"] = json!(1.5);
    expected["limits"] = json!({"default": 3});
    expected["inner"] = square;
    expected["inner"]["share"] = json!(0.5);
    expected["inner"]["limits"] = json!({});
    assert_eq!(
        arguments(&Send::new(parcel.clone())),
        json!({"parcel": expected})
    );
    assert_eq!(from_value::<Parcel>(expected).unwrap(), parcel);
}

#[test]
fn a_member_called_default_does_not_hide_the_trait() {
    assert_eq!(arguments(&Reset::new()), json!({}));
    assert_eq!(
        arguments(&Reset::new().default(true)),
        json!({"default": true})
    );
}

#[test]
fn an_alternate_takes_each_of_its_types() {
    for (text, expected) in [
        ("7", Where::from(7)),
        ("\"round\"", Where::from(Kind::Round)),
        ("\"new\"", Where::from(Kind::Unknown("new".into()))),
        ("{\"radius\":3}", Where::from(Round::new(3))),
        ("[1,2]", Where::from(vec![1, 2])),
    ] {
        assert_eq!(serde_json::from_str::<Where>(text).unwrap(), expected);
        assert_eq!(serde_json::to_string(&expected).unwrap(), text);
    }
    assert!(serde_json::from_str::<Where>("true").is_err());
}

#[test]
fn a_struct_may_hold_its_like_and_lack_what_is_new() {
    let inner = json!({"name": "in", "type": "t", "raw": "r", "parts": [], "any_thing": null, "weight": 1.5, "small": 255});
    let mut outer = inner.clone();
    outer["part"] = inner.clone();
    outer["parts"] = json!([inner]);
    outer["late"] = json!(7);
    let shape: Shape = from_value(outer.clone()).unwrap();
    assert_eq!(shape.late, Some(7));
    assert_eq!(shape.part.as_ref().unwrap().late, None);
    assert_eq!(to_value(&shape).unwrap(), outer);
}

#[test]
fn a_number_out_of_range_is_an_error() {
    let error = serde_json::from_str::<Shape>(
        r#"{"name": "a", "type": "t", "raw": "", "parts": [], "any_thing": 1, "weight": 1, "small": 256}"#,
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("invalid value: integer `256`, expected u8"),
        "{error}"
    );
}

#[test]
fn an_enum_shows_a_value_as_it_is_on_the_wire() {
    assert_eq!(format!("{:>5}", Kind::Solid), "   3d");
    assert_eq!(Kind::from("hexagon".to_owned()).as_str(), "hexagon");
}

#[test]
fn a_schema_with_a_slip_of_the_pen_is_reported_at_a_place() {
    let text = std::fs::read_to_string(folder().join("common.json")).unwrap();
    for at in 0..text.len() {
        for slip in ["", "'", "{", "]", "#", "\u{e9}"] {
            let mut broken = text.clone();
            broken.replace_range(at..=at, slip);
            if let Err(problems) = Schema::parse("common.json", &broken) {
                let lines = text.lines().count();
                let sensible = |location: &Location| {
                    (1..=lines + 1).contains(&location.line) && location.column > 0
                };
                assert!(
                    problems.0.iter().all(|problem| sensible(&problem.location)),
                    "{problems}"
                );
            }
        }
    }
}
