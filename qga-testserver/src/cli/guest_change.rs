use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};

use crate::{Guest, TestAgent};

/// The members of a guest that change. All others stay as they are.
#[derive(Clone, Debug)]
pub(super) struct GuestChange {
    guest: Guest,
    names: Vec<String>,
}

impl GuestChange {
    pub(super) fn apply(&self, agent: &TestAgent) {
        agent.edit_guest(|current| self.change(current));
    }

    fn change(&self, current: &mut Guest) {
        let Guest {
            host_name,
            time,
            timezone,
            os,
            load,
            logins,
            accounts,
            interfaces,
            routes,
            disks,
            filesystems,
            frozen,
            vcpus,
            memory_blocks,
            memory_block_size,
            devices,
            stop_milliseconds,
            reboot_milliseconds,
        } = &self.guest;
        self.put("host-name", host_name, &mut current.host_name);
        self.put("time", time, &mut current.time);
        self.put("timezone", timezone, &mut current.timezone);
        self.put("os", os, &mut current.os);
        self.put("load", load, &mut current.load);
        self.put("logins", logins, &mut current.logins);
        self.put("accounts", accounts, &mut current.accounts);
        self.put("interfaces", interfaces, &mut current.interfaces);
        self.put("routes", routes, &mut current.routes);
        self.put("disks", disks, &mut current.disks);
        self.put("filesystems", filesystems, &mut current.filesystems);
        self.put("frozen", frozen, &mut current.frozen);
        self.put("vcpus", vcpus, &mut current.vcpus);
        self.put("memory-blocks", memory_blocks, &mut current.memory_blocks);
        let size = &mut current.memory_block_size;
        self.put("memory-block-size", memory_block_size, size);
        self.put("devices", devices, &mut current.devices);
        let time = &mut current.stop_milliseconds;
        self.put("stop-milliseconds", stop_milliseconds, time);
        let time = &mut current.reboot_milliseconds;
        self.put("reboot-milliseconds", reboot_milliseconds, time);
    }

    fn put<T: Clone>(&self, name: &str, new: &T, current: &mut T) {
        if self.names.iter().any(|given| given == name) {
            current.clone_from(new);
        }
    }
}

impl<'de> Deserialize<'de> for GuestChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Reads a guest, and notes which members it was given.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = GuestChange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a guest")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<GuestChange, A::Error> {
        let mut names = Vec::new();
        let noting = Noting {
            members,
            names: &mut names,
        };
        let guest = Guest::deserialize(MapAccessDeserializer::new(noting))?;
        Ok(GuestChange { guest, names })
    }
}

struct Noting<'a, A> {
    members: A,
    names: &'a mut Vec<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Noting<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let names = &mut *self.names;
        self.members.next_key_seed(NotingSeed { seed, names })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

struct NotingSeed<'a, K> {
    seed: K,
    names: &'a mut Vec<String>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for NotingSeed<'_, K> {
    type Value = K::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<K::Value, D::Error> {
        let name = String::deserialize(deserializer)?;
        self.names.push(name.clone());
        self.seed.deserialize(name.into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::GuestChange;
    use crate::Guest;

    #[test]
    fn only_the_members_that_are_given_change() {
        let mut guest = Guest {
            host_name: "one".into(),
            frozen: true,
            ..Guest::default()
        };
        let change: GuestChange = serde_json::from_value(json!({"time": 5, "vcpus": []})).unwrap();
        change.change(&mut guest);
        assert_eq!((guest.time, guest.vcpus.len()), (5, 0));
        assert_eq!((&*guest.host_name, guest.frozen), ("one", true));
        assert_eq!(guest.disks, Guest::default().disks);
    }
}
