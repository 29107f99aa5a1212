//! The vendored schema, read by the generator, against the facts.

use std::path::PathBuf;

use crate::common::facts::{Facts, since};
use qga_codegen::schema::{Base, Kind, Member, Schema, TypeRef};
use qga_codegen::{Config, drift, generate};
use serde_json::{Value, json};

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), name].iter().collect()
}

fn schema() -> Schema {
    Schema::read(&path("schema/guest-agent.json")).unwrap()
}

fn written(ty: &TypeRef) -> String {
    if ty.list {
        format!("[{}]", ty.name)
    } else {
        ty.name.to_string()
    }
}

fn members(members: &[Member]) -> Value {
    let member = |member: &Member| {
        let mut value = json!({
            "name": member.name.text,
            "type": written(&member.ty),
            "optional": member.optional,
        });
        if let Some(condition) = &member.condition {
            value["if"] = json!(condition.to_string());
        }
        value
    };
    members.iter().map(member).collect()
}

/// Members as the facts have them, without what a schema does not say.
fn told(members: &Value) -> Value {
    let mut members = members.clone();
    for member in members.as_array_mut().unwrap() {
        member.as_object_mut().unwrap().remove("since");
    }
    members
}

#[test]
fn the_generated_modules_are_what_the_schema_says() {
    let config = Config::read(&path("schema/guest-agent.toml")).unwrap();
    let files = generate(&schema(), &config).unwrap();
    assert_eq!(drift(&path("src/commands"), &files).unwrap(), []);
}

#[test]
fn the_schema_has_the_types_of_the_facts_member_by_member() {
    let (facts, schema) = (Facts::read(), schema());
    assert_eq!(schema.types.len(), 47);
    assert_eq!(facts.types().len(), 47);
    for fact in facts.types() {
        let ty = schema.type_named(fact["name"].as_str().unwrap()).unwrap();
        let name = &ty.name.text;
        let condition = ty.condition.as_ref().map(ToString::to_string);
        assert_eq!(json!(condition), fact["if"], "{name}");
        match &ty.kind {
            Kind::Struct { base, members: own } => {
                assert!(base.is_none() && fact["kind"] == "struct", "{name}");
                assert_eq!(members(own), told(&fact["members"]), "{name}");
            }
            Kind::Enum { values, .. } => {
                assert_eq!(fact["kind"], "enum", "{name}");
                let facts = fact["values"].as_array().unwrap();
                assert_eq!(values.len(), facts.len(), "{name}");
                for (value, fact) in values.iter().zip(facts) {
                    let condition = value.condition.as_ref().map(ToString::to_string);
                    assert_eq!(fact["name"], value.name.text.as_str(), "{name}");
                    assert_eq!(fact["if"], json!(condition), "{name}");
                }
            }
            Kind::Union {
                base: Base::Inline(base),
                discriminator,
                branches,
            } => {
                assert_eq!(fact["kind"], "union", "{name}");
                assert_eq!(members(base), told(&fact["base"]), "{name}");
                assert_eq!(fact["discriminator"], discriminator.text.as_str(), "{name}");
                assert_eq!(members(branches), told(&fact["branches"]), "{name}");
            }
            Kind::Alternate { branches } => {
                assert_eq!(fact["kind"], "alternate", "{name}");
                assert_eq!(members(branches), told(&fact["branches"]), "{name}");
            }
            Kind::Union { .. } => panic!("{name} has another base"),
        }
    }
}

#[test]
fn the_schema_has_the_conditions_of_the_facts() {
    let (facts, schema) = (Facts::read(), schema());
    for (command, fact) in schema.commands.iter().zip(facts.commands()) {
        let condition = command.condition.as_ref().map(ToString::to_string);
        assert_eq!(fact["name"], command.name.text.as_str());
        assert_eq!(json!(condition), fact["if"], "{}", command.name);
    }
}

#[test]
fn types_and_members_are_of_the_versions_of_the_facts() {
    let facts = Facts::read();
    let text = std::fs::read_to_string(path("schema/guest-agent.toml")).unwrap();
    let data: toml::Table = toml::from_str(&text).unwrap();
    for fact in facts.types() {
        let name = fact["name"].as_str().unwrap();
        let entry = &data["types"][name];
        assert_eq!(entry["since"].as_str().unwrap(), since(fact), "{name}");
        for parts in ["members", "values", "branches"] {
            for part in fact[parts].as_array().into_iter().flatten() {
                let member = part["name"].as_str().unwrap();
                let told = entry["members"][member]
                    .get("since")
                    .and_then(toml::Value::as_str);
                // That most kinds of buses are of 2.4 is in the history only.
                if name != "GuestDiskBusType" || part["since"].is_string() {
                    assert_eq!(told, part["since"].as_str(), "{name}.{member}");
                }
            }
        }
    }
}

#[test]
fn every_type_tells_version_and_platforms_in_its_documentation() {
    let mut code = String::new();
    for entry in std::fs::read_dir(path("src/commands")).unwrap() {
        code += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    for fact in Facts::read().types() {
        let sentence = format!("/// Since QEMU {}, on ", since(fact));
        let count = code.matches(&sentence).count();
        assert!(count > 0, "{sentence}");
    }
    assert_eq!(code.matches("/// Since QEMU ").count(), 47);
    assert_eq!(code.matches("/// `guest-").count(), 44);
}
