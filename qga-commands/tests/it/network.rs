//! Addresses of use and routes, from a guest that may tell nonsense.

use std::net::IpAddr;

use qga_commands::guest::network::Route;
use qga_commands::{Guest, MacAddress, Usable};
use qga_core::Client;
use qga_testserver::{Interface, Profile, TestAgent};
use serde_json::{Value, json};

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    agent.profile(Profile::Qemu10_0);
    (agent, Guest::new(Client::new(stream)))
}

async fn routes(told: Value) -> Vec<Route> {
    let (agent, guest) = guest();
    agent.on("guest-network-get-route").reply(told);
    guest.routes().await.unwrap()
}

fn v4(destination: &str, mask: &str, gateway: &str) -> Value {
    json!({"iface": "eth0", "destination": destination, "mask": mask, "gateway": gateway,
        "metric": 100, "flags": 3, "version": 4})
}

fn v6(destination: &str, prefix: &str, nexthop: &str) -> Value {
    json!({"iface": "eth0", "destination": destination, "desprefixlen": prefix,
        "nexthop": nexthop, "metric": 1024, "flags": 1, "version": 6})
}

#[tokio::test(start_paused = true)]
async fn addresses_of_use_are_picked() {
    let (agent, guest) = guest();
    let found = guest.addresses(&Usable::new()).await.unwrap();
    let [address] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(address.ip.to_string(), "192.0.2.10");
    assert_eq!(
        (address.interface.as_str(), address.prefix),
        ("eth0", Some(24))
    );
    let mac: MacAddress = "52:54:00:00:00:01".parse().unwrap();
    agent.edit_guest(|guest| {
        let other = Interface::new("eth1", &mac.to_string(), &["198.51.100.9/24"]);
        guest.interfaces.insert(0, other);
    });
    let found = guest.addresses(&Usable::new().mac(mac)).await.unwrap();
    assert_eq!(found[0].ip.to_string(), "198.51.100.9");
    agent.edit_guest(|guest| guest.interfaces.clear());
    assert!(guest.addresses(&Usable::new()).await.unwrap().is_empty());
    assert!(guest.interfaces().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn routes_of_both_versions_have_one_shape() {
    let (_agent, guest) = guest();
    let routes = guest.routes().await.unwrap();
    let told: Vec<_> = routes
        .iter()
        .map(|route| {
            (
                format!("{}/{}", route.destination, route.prefix),
                route.metric,
            )
        })
        .collect();
    let expected = [
        ("0.0.0.0/0", Some(0)),
        ("192.0.2.0/24", Some(0)),
        ("fe80::/64", Some(256)),
        ("::1/128", Some(0)),
        ("::/0", None),
    ];
    assert_eq!(told, expected.map(|(to, metric)| (to.to_owned(), metric)));
    let over: Vec<_> = routes.iter().filter_map(|route| route.gateway).collect();
    assert_eq!(over, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    let through: Vec<_> = routes.iter().map(|route| &route.interface).collect();
    assert_eq!(through, ["eth0", "eth0", "eth0", "lo", "lo"]);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_refuses_is_no_default() {
    let (_agent, guest) = guest();
    let routes = guest.routes().await.unwrap();
    let default: Vec<_> = routes.iter().map(Route::is_default).collect();
    assert_eq!(default, [true, false, false, false, false]);
    let reject: Vec<_> = routes.iter().map(|route| route.is_reject).collect();
    assert_eq!(reject, [false, false, false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_route_is_passed_over() {
    let told = json!([
        v4("192.0.2.0", "255.0.255.0", "0.0.0.0"),
        v4("192.0.2.0", "a mask", "0.0.0.0"),
        v4("nowhere", "255.255.255.0", "0.0.0.0"),
        {"iface": "x", "destination": "192.0.2.0", "metric": 0, "version": 4},
        v6("2001:db8::", "129", "::"),
        v6("2001:db8::", "-1", "::"),
        v6("2001:db8::", "99999999999999999999", "::"),
        {"iface": "x", "destination": "::", "metric": 0, "version": 6},
    ]);
    assert_eq!(routes(told).await, []);
}

#[tokio::test(start_paused = true)]
async fn the_widest_and_the_narrowest_route_are_routes() {
    let told = json!([
        v4("192.0.2.7", "255.255.255.255", "192.0.2.1"),
        v6("2001:db8::7", "128", "fe80::1"),
        v6("::", "0", "no address"),
    ]);
    let routes = routes(told).await;
    let told: Vec<_> = routes
        .iter()
        .map(|route| (route.prefix, route.gateway.map(|ip| ip.to_string())))
        .collect();
    let over = |gateway: &str| Some(gateway.to_owned());
    assert_eq!(
        told,
        [(32, over("192.0.2.1")), (128, over("fe80::1")), (0, None)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_metric_that_makes_no_sense_is_none() {
    for metric in [-1, i64::MIN, i64::MAX, 1 << 32] {
        let mut route = v4("0.0.0.0", "0.0.0.0", "192.0.2.1");
        route["metric"] = metric.into();
        assert_eq!(routes(json!([route])).await[0].metric, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_routes_says_so() {
    let (agent, guest) = guest();
    agent.profile(Profile::Qemu7_2);
    let error = guest.routes().await.unwrap_err();
    assert!(error.command_error().unwrap().is_command_not_found());
}
