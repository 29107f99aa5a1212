//! Replies of real agents, and replies made from the facts, decode and encode.

use std::collections::HashMap;

use crate::common::facts::Facts;
use crate::common::types::{RoundTrip, TYPES, commands};
use crate::common::{recorded, same};
use qga_commands::commands::cpu::GuestCpuStats;
use qga_commands::commands::disk::{GuestDiskBusType, GuestDiskSmart};
use qga_commands::commands::net::GuestNetworkRoute;
use qga_commands::commands::user::GuestUser;
use serde_json::{Value, json};

#[track_caller]
fn comes_back(round_trip: RoundTrip, reply: &Value, what: &str) {
    let back = round_trip(&reply.to_string()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let back = serde_json::from_str(&back).unwrap();
    assert!(same(&back, reply), "{what}\n{reply}\n{back}");
}

#[test]
fn every_recorded_reply_comes_back_as_it_was() {
    let commands: HashMap<_, _> = commands()
        .into_iter()
        .filter_map(|command| Some((command.name, command.round_trip?)))
        .collect();
    let recorded = recorded();
    assert!(recorded.len() > 50);
    for reply in recorded {
        let round_trip = commands[reply.command.as_str()];
        comes_back(
            round_trip,
            &reply.reply,
            &format!("{} {}", reply.source, reply.command),
        );
    }
}

#[test]
fn every_command_takes_a_reply_made_from_the_facts() {
    let facts = Facts::read();
    for (command, fact) in commands().iter().zip(facts.commands()) {
        let Some(round_trip) = command.round_trip else {
            continue;
        };
        for full in [true, false] {
            let reply = match fact["returns"].as_str() {
                Some(ty) => facts.sample(ty, full),
                None => json!({}),
            };
            comes_back(round_trip, &reply, command.name);
        }
    }
}

#[test]
fn every_type_keeps_every_member() {
    let facts = Facts::read();
    assert_eq!(TYPES.len(), 47);
    for (name, round_trip) in TYPES {
        comes_back(*round_trip, &facts.sample(name, true), name);
        comes_back(*round_trip, &facts.sample(name, false), name);
    }
}

#[test]
fn every_required_member_is_required() {
    let facts = Facts::read();
    for (name, round_trip) in TYPES {
        let least = facts.sample(name, false);
        for member in least
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys())
        {
            let mut less = least.clone();
            less.as_object_mut().unwrap().remove(member);
            let error = round_trip(&less.to_string()).unwrap_err().to_string();
            assert!(
                error.contains(&format!("missing field `{member}`")),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn a_member_that_is_not_known_is_passed_over() {
    let facts = Facts::read();
    for (name, round_trip) in TYPES {
        let least = facts.sample(name, false);
        let mut more = least.clone();
        if let Some(object) = more.as_object_mut() {
            object.insert("from-the-future".into(), json!({"a": [1]}));
            let back = round_trip(&more.to_string()).unwrap();
            let back: Value = serde_json::from_str(&back).unwrap();
            assert_eq!(back, least, "{name}");
        }
    }
}

#[test]
fn every_value_of_every_enum_comes_back_also_one_that_is_not_known() {
    let facts = Facts::read();
    for (name, round_trip) in TYPES {
        let fact = facts.type_named(name);
        for value in fact["values"].as_array().into_iter().flatten() {
            comes_back(*round_trip, &value["name"], name);
        }
        if fact["kind"] == "enum" {
            comes_back(*round_trip, &json!("from-the-future"), name);
            assert!(round_trip("7").is_err(), "{name}");
        }
    }
    let bus: GuestDiskBusType = serde_json::from_value(json!("unknown")).unwrap();
    assert_eq!(bus, GuestDiskBusType::Undetermined);
}

#[test]
fn a_branch_that_is_not_known_is_kept_digit_by_digit() {
    for member in [
        r#""system":28888888888888888888888888888888888888888880"#,
        r#""system":1e999,"idle":-1E-999"#,
        r#""spare":0.10000000000000000001,"wear":1.50"#,
        r#""zero":-0.0,"one":1.0,"list":[1e3, {"deep": 1.10}]"#,
        r#""a":1,"a":2"#,
    ] {
        let json = format!(r#"{{"type":"sata",{member}}}"#);
        for (name, round_trip) in TYPES {
            if !["GuestDiskSmart", "GuestDeviceId", "GuestCpuStats"].contains(name) {
                continue;
            }
            assert_eq!(round_trip(&json).unwrap(), json, "{name}");
        }
    }
    let sata = r#"{"type":"sata","hours":7}"#;
    let smart: GuestDiskSmart = serde_json::from_str(sata).unwrap();
    assert!(matches!(&smart, GuestDiskSmart::Unknown(all) if all.get("hours") == Some("7")));
}

/// What serde's own floats do not promise: they may change with each reading.
#[test]
fn a_float_comes_back_as_it_was_written() {
    for login in [
        "1700000100.123456717",
        "0.1",
        "2.4406250000000005e-9",
        "1e300",
        "5e-324",
    ] {
        let user = format!(r#"{{"user":"u","login-time":{login}}}"#);
        let round_trip = TYPES
            .iter()
            .find(|(name, _)| *name == "GuestUser")
            .unwrap()
            .1;
        let written = round_trip(&user).unwrap();
        assert_eq!(round_trip(&written).unwrap(), written);
        let user: GuestUser = serde_json::from_str(&user).unwrap();
        let exact: f64 = login.parse().unwrap();
        assert_eq!(user.login_time.to_bits(), exact.to_bits(), "{login}");
    }
}

#[test]
fn an_error_in_a_branch_tells_where_it_is() {
    let stats =
        json!({"type": "linux", "cpu": 0, "user": "much", "nice": 0, "system": 0, "idle": 0});
    let error = serde_json::from_value::<GuestCpuStats>(stats).unwrap_err();
    let expected = "`user`: invalid type: string \"much\", expected u64";
    assert_eq!(error.to_string(), expected);
    let error = serde_json::from_value::<GuestCpuStats>(json!({"type": 7})).unwrap_err();
    let expected = "`type`: invalid type: integer `7`, expected a string";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn the_integers_of_a_branch_are_numbers_however_they_are_spelt() {
    let stats =
        r#"{"type": "linux", "cpu": 1e0, "user": 1.5e3, "nice": 0.0, "system": -0, "idle": 7}"#;
    let GuestCpuStats::Linux(stats) = serde_json::from_str(stats).unwrap() else {
        panic!("it is Linux");
    };
    assert_eq!((stats.cpu, stats.user, stats.system), (1, 1500, 0));
}

#[test]
fn the_flags_of_a_route_may_exceed_what_is_signed() {
    let route = json!({
        "iface": "eth0", "destination": "fe80::", "metric": -1, "version": 6,
        "flags": 18_446_744_071_564_165_121_u64, "desprefixlen": "64",
    });
    let route: GuestNetworkRoute = serde_json::from_value(route).unwrap();
    assert_eq!(route.flags, Some(18_446_744_071_564_165_121));
    assert_eq!(route.destination_prefix.as_deref(), Some("64"));
}

#[test]
fn a_login_is_a_float_that_may_look_like_an_integer() {
    for (text, expected) in [
        ("1700000100", 1_700_000_100.0),
        ("1700000100.5", 1_700_000_100.5),
    ] {
        let user = format!("{{\"user\": \"u\", \"login-time\": {text}}}");
        let user: GuestUser = serde_json::from_str(&user).unwrap();
        assert!((user.login_time - expected).abs() < 1e-6);
    }
}
