use qga_core::Address;

use crate::types::{TYPES, commands};

/// The type of each command's reply, and every other type, takes any JSON or refuses it; what it
/// took it can write, and takes again.
pub fn responses(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let answered = commands();
    let answered = answered.iter().filter_map(|command| command.round_trip);
    for round_trip in answered.chain(TYPES.iter().map(|(_, round_trip)| *round_trip)) {
        if let Ok(written) = round_trip(text) {
            let again = round_trip(&written).expect("it takes what it wrote");
            assert_eq!(again, written);
        }
    }
}

/// Any text is an address that reads back as itself, or is refused.
pub fn addresses(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<Address>() {
        Ok(address) => assert_eq!(address.to_string().parse(), Ok(address)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
