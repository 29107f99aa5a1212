//! Events, with what they carry.

use super::fields::Direction;
use super::planner::Planner;
use super::{EventPlan, Events, RustType, TypeKind, TypePlan};
use crate::plan::Parameter;
use crate::schema::{Data, Event, TypeRef};

impl<'a> Planner<'a> {
    /// All events, where the data file says of what an event that is not known is made.
    pub(super) fn events(&mut self) -> Option<Events> {
        let raw = self.config.data.paths.raw_event.clone()?;
        let schema = self.schema;
        let events = schema.events.iter();
        Some(Events {
            raw: RustType::path(&raw, Parameter::Exact),
            list: events.filter_map(|event| self.event(event)).collect(),
        })
    }

    fn event(&self, event: &'a Event) -> Option<EventPlan> {
        let wire = event.name.text.as_str();
        let path = self.events.get(wire)?;
        let entry = self.config.data.events.get(wire)?;
        let (since, on) = (self.since(&entry.since), self.on(event.condition.as_ref()));
        let carried = match &event.data {
            Data::None => None,
            Data::Inline(_) => {
                let path = format!("super::{}::{}", path.module, path.name);
                Some(RustType::path(&path, Parameter::Exact))
            }
            Data::Named(name) => {
                let (name, list) = (name.clone(), false);
                Some(self.type_ref(&TypeRef { name, list }, "event"))
            }
        };
        Some(EventPlan {
            wire: wire.to_owned(),
            name: path.name.clone(),
            doc: format!("{}\n\n`{wire}`, since {since}{on}.", entry.doc),
            carried,
        })
    }

    /// The struct with what an event carries, if it is in this module.
    pub(super) fn carried(&mut self, event: &'a Event, module: &str) -> Option<TypePlan> {
        let wire = event.name.text.as_str();
        let path = self.events.get(wire);
        let path = path.filter(|path| path.module == module)?.clone();
        let entry = self.config.data.events.get(wire)?;
        if !matches!(event.data, Data::Inline(_)) {
            return None;
        }
        let parts = self.argument_parts(&event.data, &entry.members);
        let since = self.since(&entry.since);
        Some(TypePlan {
            name: path.name,
            doc: format!("What the event `{wire}` carries.\n\nSince {since}."),
            eq: !parts.iter().any(|(member, _)| self.has_float(member)),
            kind: TypeKind::Struct(self.fields(&parts, module, Direction::Both)),
            input: false,
        })
    }
}
