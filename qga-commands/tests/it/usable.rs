//! Addresses of a guest, and which of them are of use.

use qga_commands::commands::net::GuestNetworkInterface;
use qga_commands::{GuestIp, MacAddress, Usable};
use serde_json::json;

fn guest() -> Vec<GuestNetworkInterface> {
    let address = |ip: &str, prefix: i64| {
        let kind = if ip.contains(':') { "ipv6" } else { "ipv4" };
        json!({"ip-address": ip, "ip-address-type": kind, "prefix": prefix})
    };
    let interfaces = json!([
        {"name": "lo", "ip-addresses": [address("127.0.0.1", 8), address("::1", 128)]},
        {"name": "eth0", "hardware-address": "52:54:00:AA:bb:01", "ip-addresses": [
            address("fe80::1%14", 64), address("2001:db8::7", 64), address("192.0.2.7", 24),
        ]},
        {"name": "eth1", "hardware-address": "52:54:00:aa:bb:02", "ip-addresses": [
            address("169.254.3.4", 16), address("198.51.100.9", -1), address("no address", 0),
        ]},
        {"name": "down", "hardware-address": "52:54:00:aa:bb:03"},
    ]);
    serde_json::from_value(interfaces).unwrap()
}

fn picked(usable: &Usable) -> Vec<String> {
    let picked = usable.pick(&guest());
    picked
        .iter()
        .map(|address| address.ip.to_string())
        .collect()
}

#[test]
fn neither_loopback_nor_link_local_unless_asked() {
    assert_eq!(
        picked(&Usable::new()),
        ["192.0.2.7", "198.51.100.9", "2001:db8::7"]
    );
    let all = Usable::new().with_loopback().with_link_local();
    assert_eq!(
        picked(&all),
        [
            "127.0.0.1",
            "192.0.2.7",
            "169.254.3.4",
            "198.51.100.9",
            "::1",
            "fe80::1%14",
            "2001:db8::7"
        ]
    );
}

#[test]
fn the_version_that_is_asked_for_comes_first() {
    let expected = ["2001:db8::7", "192.0.2.7", "198.51.100.9"];
    assert_eq!(picked(&Usable::new().v6_first()), expected);
}

#[test]
fn only_the_version_that_is_asked_for_is_picked() {
    let v4 = ["192.0.2.7", "198.51.100.9"];
    assert_eq!(picked(&Usable::new().v4_only()), v4);
    assert_eq!(picked(&Usable::new().v4_only().v6_first()), v4);
    assert_eq!(picked(&Usable::new().v6_only()), ["2001:db8::7"]);
    assert_eq!(picked(&Usable::new().v4_only().v6_only()), ["2001:db8::7"]);
    let v6 = Usable::new().v6_only().with_loopback().with_link_local();
    assert_eq!(picked(&v6), ["::1", "fe80::1%14", "2001:db8::7"]);
}

#[test]
fn a_mac_address_picks_the_interface_whatever_its_spelling() {
    let mac: MacAddress = "52-54-00-aa-bb-01".parse().unwrap();
    assert_eq!(
        picked(&Usable::new().mac(mac)),
        ["192.0.2.7", "2001:db8::7"]
    );
    let address = &Usable::new().mac(mac).pick(&guest())[0];
    assert_eq!(
        (address.interface.as_str(), address.mac),
        ("eth0", Some(mac))
    );
    assert_eq!(address.prefix, Some(24));
}

#[test]
fn a_prefix_that_makes_no_sense_is_none() {
    let address = &Usable::new().pick(&guest())[1];
    assert_eq!(
        (address.ip.to_string().as_str(), address.prefix),
        ("198.51.100.9", None)
    );
}

#[test]
fn an_address_may_have_a_zone_if_it_is_ipv6() {
    let ip: GuestIp = "fe80::1%eth0".parse().unwrap();
    assert_eq!(
        (ip.zone(), ip.ip()),
        (Some("eth0"), "fe80::1".parse().unwrap())
    );
    for text in [
        "",
        "fe80::1%",
        "fe80::1%\u{1b}[31m",
        "fe80::1%a b",
        "fe80::1%$(x)",
        "192.0.2.1%3",
        "fe80:::1",
        "1.2.3",
        "fe80::1/64",
    ] {
        assert!(text.parse::<GuestIp>().is_err(), "{text}");
    }
}

#[test]
fn link_local_and_loopback_are_seen_through_ipv4_in_ipv6() {
    let ip = |text: &str| text.parse::<GuestIp>().unwrap();
    assert!(ip("::ffff:127.0.0.1").is_loopback());
    assert!(ip("::ffff:169.254.1.1").is_link_local());
    assert!(!ip("fec0::1").is_link_local());
}

#[test]
fn a_mac_address_is_six_bytes_of_two_digits() {
    for text in [
        "",
        "52:54:00:12:34",
        "52:54:00:12:34:56:78",
        "52:54:00:12:34:+6",
        "525400123456",
    ] {
        let error = text.parse::<MacAddress>().unwrap_err();
        assert_eq!(error.to_string(), format!("{text:?} is not a MAC address"));
    }
}
