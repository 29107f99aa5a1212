//! Bases, and members that bases bring.

use std::collections::HashMap;

use super::Check;
use crate::problem::Name;
use crate::schema::{Kind, Member, Type};

impl<'a> Check<'a> {
    /// Whether a struct's base is one that it can have.
    pub(super) fn base(&mut self, ty: &'a Type, base: &Name) -> bool {
        match self.types.get(base.text.as_str()) {
            None => {
                self.undefined(base);
                false
            }
            Some(found) if !matches!(found.kind, Kind::Struct { .. }) => {
                self.report(
                    base,
                    format!("`{base}` is no struct, so it cannot be a base"),
                );
                false
            }
            Some(_) if self.is_own_base(ty) => {
                self.report(base, format!("`{}` is its own base", ty.name));
                false
            }
            Some(_) => true,
        }
    }

    fn is_own_base(&self, ty: &Type) -> bool {
        let mut next = ty;
        for _ in 0..=self.schema.types.len() {
            let Kind::Struct {
                base: Some(base), ..
            } = &next.kind
            else {
                return false;
            };
            match self.types.get(base.text.as_str()) {
                Some(found) if found.name.text == ty.name.text => return true,
                Some(found) => next = found,
                None => return false,
            }
        }
        // It leads into a loop of others, which are reported at their place.
        false
    }

    /// Checks the names of an object's members, those of its bases among them.
    pub(super) fn members(&mut self, members: &[(&'a Type, &'a Member)]) {
        let mut seen: HashMap<&str, &Type> = HashMap::new();
        for (owner, member) in members {
            self.member_name(&member.name);
            let name = &member.name;
            match seen.insert(&name.text, owner) {
                None => {}
                Some(other) if std::ptr::eq(other, *owner) => {
                    self.report(name, format!("the member `{name}` is there twice"));
                }
                Some(other) => {
                    let message =
                        format!("the member `{name}` is in the base `{}` too", other.name);
                    self.report(name, message);
                }
            }
        }
    }
}
