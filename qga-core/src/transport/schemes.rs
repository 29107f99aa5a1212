//! The schemes that a builder was told of, beside those of this crate.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::Address;
use super::address::parse::{SCHEMES, no_scheme, scheme_problem};
use crate::error::AddressError;

/// How the addresses of each scheme are opened.
pub(crate) struct Schemes<Open: ?Sized> {
    /// In the order of their names.
    known: Vec<(String, Arc<Open>)>,
    /// The first name that cannot be one of a scheme, and why.
    problem: Option<(String, &'static str)>,
}

impl<Open: ?Sized> Schemes<Open> {
    pub(crate) fn new() -> Self {
        Self {
            known: Vec::new(),
            problem: None,
        }
    }

    pub(crate) fn add(&mut self, name: String, open: Arc<Open>) {
        match scheme_problem(&name) {
            Some(problem) => {
                self.problem.get_or_insert((name, problem));
            }
            None => match self.place(&name) {
                Ok(place) => {
                    if let Some(known) = self.known.get_mut(place) {
                        known.1 = open;
                    }
                }
                Err(place) => self.known.insert(place, (name, open)),
            },
        }
    }

    /// How an address is opened, or none if this crate knows it itself.
    pub(crate) fn find(&self, address: &Address) -> Result<Option<Arc<Open>>, AddressError> {
        if let Some((name, problem)) = &self.problem {
            return Err(AddressError::new(name, (*problem).into()));
        }
        let Address::Other { scheme, rest } = address else {
            return Ok(None);
        };
        let found = self
            .place(scheme)
            .ok()
            .and_then(|place| self.known.get(place));
        let found = found.map(|(_, open)| open.clone());
        let unknown = || AddressError::new(&address.to_string(), self.unknown(scheme, rest));
        found.map(Some).ok_or_else(unknown)
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.known.iter().map(|(name, _)| name.as_str())
    }

    /// Where a name is, or where it would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.known
            .binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    fn unknown(&self, scheme: &str, rest: &str) -> Cow<'static, str> {
        let text = format!("{scheme}:{rest}");
        if let Some(reason) = no_scheme(&text) {
            return reason;
        }
        let known = SCHEMES.into_iter().chain(self.names());
        if let Some(meant) = known.clone().find(|known| is_slip(scheme, known)) {
            return format!("there is no scheme `{scheme}`; did you mean {meant}:{rest}?").into();
        }
        let known: Vec<_> = known.collect();
        format!(
            "there is no scheme `{scheme}` among {}; write tcp:HOST:PORT for a host and a port, \
             unix:PATH for a path with a colon",
            known.join(", ")
        )
        .into()
    }
}

impl<Open: ?Sized> Clone for Schemes<Open> {
    fn clone(&self) -> Self {
        Self {
            known: self.known.clone(),
            problem: self.problem.clone(),
        }
    }
}

impl<Open: ?Sized> fmt::Debug for Schemes<Open> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Whether one letter too many, too few, wrong, or in the place of its neighbour parts the two.
fn is_slip(written: &str, word: &str) -> bool {
    let (mut written, mut word) = (written.as_bytes(), word.as_bytes());
    while let ([a, more @ ..], [b, rest @ ..]) = (written, word)
        && a == b
    {
        (written, word) = (more, rest);
    }
    while let ([more @ .., a], [rest @ .., b]) = (written, word)
        && a == b
    {
        (written, word) = (more, rest);
    }
    match (written, word) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(address: &str) -> String {
        let mut schemes = Schemes::<()>::new();
        schemes.add("libvirt".into(), Arc::new(()));
        let found = schemes.find(&address.parse().unwrap());
        found.unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_scheme_is_answered_with_what_may_have_been_meant() {
        let cases = [
            ("localhost:80", "write tcp:localhost:80"),
            ("vm1.example.org:1234", "write tcp:vm1.example.org:1234"),
            ("unx:/run/qga.sock", "unix:/run/qga.sock"),
            ("uinx:/run/qga.sock", "unix:/run/qga.sock"),
            ("unixx:/run/qga.sock", "unix:/run/qga.sock"),
            ("tpc:vm1:x", "tcp:vm1:x"),
            ("vscok:3:x", "vsock:3:x"),
            ("libvrt:vm1", "libvirt:vm1"),
            ("a.sock:b", "unix:PATH"),
            ("http://localhost:80", "tcp:HOST:PORT"),
            (
                "qemu:vm1",
                "unix, tcp, serial, vsock, vsock-proxy, exec, ssh, libvirt",
            ),
        ];
        for (address, right) in cases {
            let error = error(address);
            assert!(error.contains(right), "{address}: {error}");
        }
    }

    #[test]
    fn of_two_openings_for_a_scheme_the_later_is_taken() {
        let mut schemes = Schemes::<u8>::new();
        for (name, open) in [("libvirt", 1), ("a", 2), ("vm", 3), ("libvirt", 4)] {
            schemes.add(name.into(), Arc::new(open));
        }
        let found = |address: &str| *schemes.find(&address.parse().unwrap()).unwrap().unwrap();
        assert_eq!((found("libvirt:x"), found("a:x"), found("vm:x")), (4, 2, 3));
    }

    #[test]
    fn a_name_that_cannot_be_a_scheme_is_an_error_whatever_the_address_is() {
        for name in ["", "Vm", "9p", "a b", "a:b", "unix", "ssh"] {
            let mut schemes = Schemes::<()>::new();
            schemes.add(name.into(), Arc::new(()));
            assert!(
                schemes.find(&"/run/qga.sock".parse().unwrap()).is_err(),
                "{name}"
            );
        }
    }
}
