use super::Command;
use crate::guest::{Guest, Interface, IpAddress};
use crate::json::{Object, Value};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "guest-network-get-interfaces",
    parameters: &[],
    run: |context, _| Ok(interfaces(context.guest)),
}];

fn interfaces(guest: &Guest) -> Value {
    Value::Array(guest.interfaces.iter().map(interface).collect())
}

fn interface(interface: &Interface) -> Value {
    let addresses = interface.ip_addresses.iter().map(ip_address).collect();
    Value::Object(Object::of([
        ("name", interface.name.into()),
        ("ip-addresses", Value::Array(addresses)),
        ("statistics", statistics(interface)),
        ("hardware-address", interface.hardware_address.into()),
    ]))
}

fn ip_address(address: &IpAddress) -> Value {
    let kind = if address.address.contains(':') {
        "ipv6"
    } else {
        "ipv4"
    };
    Value::Object(Object::of([
        ("ip-address", address.address.into()),
        ("ip-address-type", kind.into()),
        ("prefix", address.prefix.into()),
    ]))
}

fn statistics(interface: &Interface) -> Value {
    Value::Object(Object::of([
        ("rx-bytes", interface.bytes.into()),
        ("rx-packets", interface.packets.into()),
        ("rx-errs", 0.into()),
        ("rx-dropped", 0.into()),
        ("tx-bytes", interface.bytes.into()),
        ("tx-packets", interface.packets.into()),
        ("tx-errs", 0.into()),
        ("tx-dropped", 0.into()),
    ]))
}
