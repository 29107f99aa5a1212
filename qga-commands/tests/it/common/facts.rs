//! What is known of the agent's schema, and replies made from that.

use serde_json::{Map, Value, json};

pub(crate) struct Facts(Value);

impl Facts {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../fixtures/facts.json")).unwrap())
    }

    pub(crate) fn commands(&self) -> &[Value] {
        self.0["commands"].as_array().unwrap()
    }

    pub(crate) fn types(&self) -> &[Value] {
        self.0["types"].as_array().unwrap()
    }

    pub(crate) fn type_named(&self, name: &str) -> &Value {
        let mut types = self.types().iter();
        types
            .find(|ty| ty["name"] == name)
            .unwrap_or_else(|| panic!("no type {name}"))
    }

    /// A value of a type: with all that it may have, or only with what it must have.
    pub(crate) fn sample(&self, ty: &str, full: bool) -> Value {
        if let Some(element) = ty.strip_prefix('[') {
            return json!([self.sample(element.trim_end_matches(']'), full)]);
        }
        match ty {
            "int" => json!(if full { i64::MIN } else { i64::MAX }),
            "uint64" => json!(u64::MAX),
            "uint16" => json!(u16::MAX),
            "number" => json!(0.25),
            "bool" => json!(full),
            "str" => json!("aGk="),
            _ => self.sample_of_type(ty, full),
        }
    }

    fn sample_of_type(&self, name: &str, full: bool) -> Value {
        let ty = self.type_named(name);
        match ty["kind"].as_str().unwrap() {
            "struct" => Value::Object(self.object(&ty["members"], full)),
            "enum" => ty["values"][0]["name"].clone(),
            "alternate" => {
                let branches = ty["branches"].as_array().unwrap();
                let branch = &branches[usize::from(full)];
                self.sample(branch["type"].as_str().unwrap(), full)
            }
            "union" => {
                let branch = &ty["branches"][0];
                let mut object = self.object(&ty["base"], full);
                let discriminator = ty["discriminator"].as_str().unwrap();
                object.insert(discriminator.to_owned(), branch["name"].clone());
                let inner = self.sample(branch["type"].as_str().unwrap(), full);
                object.extend(inner.as_object().unwrap().clone());
                Value::Object(object)
            }
            other => panic!("a type of the kind {other}"),
        }
    }

    fn object(&self, members: &Value, full: bool) -> Map<String, Value> {
        let members = members.as_array().unwrap().iter();
        members
            .filter(|member| full || member["optional"] == false)
            .map(|member| {
                let value = self.sample(member["type"].as_str().unwrap(), full);
                (member["name"].as_str().unwrap().to_owned(), value)
            })
            .collect()
    }
}

/// The version that brought something: that of its documentation, or the first release that has it
/// where there is none or it is wrong.
pub(crate) fn since(fact: &Value) -> &str {
    match fact["since"].as_str() {
        // The release 8.0 does not have what is said to be of 8.0.
        None | Some("8.0") => fact["first_snapshot"].as_str().unwrap(),
        Some(since) => since,
    }
}
