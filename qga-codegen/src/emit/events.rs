//! Events: an enum of all, which keeps one that it does not know.

use super::code::Code;
use super::imports::Imports;
use crate::plan::{EventPlan, Events};

/// The file that has it.
pub(crate) const FILE: &str = "event";

pub(super) fn text(events: &Events) -> String {
    let mut imports = Imports::default();
    imports.add_type(&events.raw);
    let raw = &events.raw.text;
    let mut body = Code::default();
    body.blank();
    body.doc("What has happened.");
    body.add("#[derive(Clone, Debug)]\n#[non_exhaustive]\npub enum EventKind {");
    for event in &events.list {
        body.doc(&event.doc);
        match &event.carried {
            Some(carried) => {
                imports.add_type(carried);
                body.add(&format!("{}({}),", event.name, carried.text));
            }
            None => body.add(&format!("{},", event.name)),
        }
    }
    body.doc("Something else, or something that carries what is not understood, as it came.");
    body.add(&format!("Unknown({raw}),\n}}"));
    body.add(&methods(events));
    let mut code = Code::default();
    code.inner_doc("What is told without being asked for.");
    imports.write(&mut code);
    code.text + &body.text
}

fn methods(events: &Events) -> String {
    let raw = &events.raw.text;
    let names = arms(events, |event| {
        let pattern = if event.carried.is_some() { "(_)" } else { "" };
        format!("Self::{}{pattern} => {:?}, ", event.name, event.wire)
    });
    let reads = arms(events, |event| match &event.carried {
        Some(_) => format!(
            "{:?} => raw.decode().map(Self::{}), ",
            event.wire, event.name
        ),
        None => format!("{:?} => Some(Self::{}), ", event.wire, event.name),
    });
    format!(
        "
impl EventKind {{
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &str {{
        match self {{
            {names}
            Self::Unknown(raw) => &raw.name,
        }}
    }}

    /// What an event is, as far as it is understood.
    pub(crate) fn read(raw: &{raw}) -> Self {{
        let known = match raw.name.as_str() {{
            {reads}
            _ => None,
        }};
        known.unwrap_or_else(|| Self::Unknown(raw.clone()))
    }}
}}"
    )
}

fn arms(events: &Events, arm: impl Fn(&EventPlan) -> String) -> String {
    events.list.iter().map(arm).collect()
}
