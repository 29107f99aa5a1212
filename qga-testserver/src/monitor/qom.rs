//! The tree of QEMU's objects, as far as the port of the agent is in it.

use serde_json::json;

use super::command::{Call, Command, Returned, with};
use super::shared::Shared;
use crate::commands::arguments::{Kind, required};
use crate::lock::lock;
use crate::wire::reply::Failure;

/// Where devices with an id are, and those without.
const NAMED: &str = "/machine/peripheral";
const NAMELESS: &str = "/machine/peripheral-anon";

/// What a port is.
const PORT: &str = "child<virtserialport>";

pub(super) const COMMANDS: &[Command] = &[
    with("qom-list", &[required("path", Kind::Text)], list),
    with(
        "qom-get",
        &[
            required("path", Kind::Text),
            required("property", Kind::Text),
        ],
        get,
    ),
];

fn list(call: &Call<'_>) -> Returned {
    let path = call.text("path").unwrap_or_default();
    let children = children(call.shared, path).ok_or_else(|| not_found(path))?;
    let kind = ("type".to_owned(), "string");
    let entries = std::iter::once(kind).chain(children);
    Ok(entries
        .map(|(name, kind)| json!({"name": name, "type": kind}))
        .collect())
}

fn get(call: &Call<'_>) -> Returned {
    let path = call.text("path").unwrap_or_default();
    let property = call.text("property").unwrap_or_default();
    if children(call.shared, path).is_none() {
        return Err(not_found(path));
    }
    let is_port = path == port_path(call.shared);
    match property {
        "type" if is_port => Ok("virtserialport".into()),
        "type" => Ok("container".into()),
        "name" if is_port => Ok("org.qemu.guest_agent.0".into()),
        "chardev" if is_port => Ok("qga0".into()),
        "nr" if is_port => Ok(1.into()),
        _ => {
            let text = format!("Property 'virtserialport.{property}' not found");
            Err(Failure::generic(text))
        }
    }
}

fn port_path(shared: &Shared) -> String {
    match &lock(&shared.settings).port_id {
        Some(id) => format!("{NAMED}/{id}"),
        None => format!("{NAMELESS}/device[1]"),
    }
}

/// What is at a path, beside its type.
fn children(shared: &Shared, path: &str) -> Option<Vec<(String, &'static str)>> {
    let id = lock(&shared.settings).port_id.clone();
    let port = port_path(shared);
    let entry = |name: &str, kind| (name.to_owned(), kind);
    Some(match path {
        "/machine" => vec![
            entry("peripheral", "child<container>"),
            entry("peripheral-anon", "child<container>"),
        ],
        NAMED => id.iter().map(|id| entry(id, PORT)).collect(),
        NAMELESS => {
            let mut devices = vec![entry("device[0]", "child<virtio-serial-pci>")];
            if id.is_none() {
                devices.push(entry("device[1]", PORT));
            }
            devices.push(entry("device[2]", "child<virtio-blk-pci>"));
            devices
        }
        path if path == port => vec![
            entry("name", "str"),
            entry("chardev", "str"),
            entry("nr", "uint32"),
        ],
        _ => return None,
    })
}

fn not_found(path: &str) -> Failure {
    Failure::new("DeviceNotFound", format!("Device '{path}' not found"))
}
