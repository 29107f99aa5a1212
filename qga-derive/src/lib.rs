//! `#[derive(QgaCommand)]` for `qga-core`, which re-exports it.

mod attributes;
mod errors;
mod expand;
mod parse;
mod serde_attributes;
mod suggest;
#[cfg(test)]
mod tests;
mod validate;

use errors::Errors;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a command of the guest agent: its fields are the arguments.
///
/// ```
/// use qga_core::QgaCommand;
///
/// #[derive(QgaCommand)]
/// #[qga(name = "guest-file-write", response = Written)]
/// struct FileWrite<'a> {
///     handle: i64,
///     #[qga(base64, rename = "buf-b64")]
///     bytes: &'a [u8],
///     count: Option<u64>,
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Written {
///     count: u64,
///     eof: bool,
/// }
///
/// let write = FileWrite { handle: 1000, bytes: b"hello\n", count: None };
/// assert_eq!(
///     serde_json::to_value(write.arguments())?,
///     serde_json::json!({ "handle": 1000, "buf-b64": "aGVsbG8K" }),
/// );
/// # Ok::<_, serde_json::Error>(())
/// ```
///
/// # On the struct
///
/// | `#[qga(...)]` | |
/// |---|---|
/// | `name = "guest-..."` | The command's name on the wire. It is the only attribute that is required. |
/// | `response = Type` | What the reply decodes into, a type that implements `serde::Deserialize`. By default the empty object, `Empty`. |
/// | `no_response` | The agent answers only if the command fails, as with a shutdown. The response is `NoReply`. |
/// | `retry = Safe` | Whether the command may be sent again after its reply was lost: a variant of `RetryClass`, by default `Never`. |
/// | `check = "what guest-get-vcpus says"` | What shows whether the command has run, where its reply was lost; errors say it after "check". |
/// | `secret_reply` | Keeps what the agent returns out of errors. |
/// | `reply_limit = 48 * 1024 * 1024` | The longest reply to expect, in bytes, where that is more than the client's limit. The expression may use `self`. |
/// | `protocol = qga_qmp::Qmp` | The protocol that the command is of, if it is not the guest agent's. A client of another protocol does not take it. |
/// | `crate = path::to::core` | Where `qga-core` is, if it is not `::qga_core`. |
///
/// A unit struct and a struct without a field to send have no arguments at all.
///
/// # On a field
///
/// A field is sent under its own name with `-` for each `_`: `capture_output` as `capture-output`,
/// `r#type` as `type`. Its type implements `serde::Serialize`; the struct itself need not. A field
/// that serializes as `None` is left out, since an agent refuses `null` for an absent argument.
///
/// | `#[qga(...)]` | |
/// |---|---|
/// | `rename = "wire-name"` | Sends it under this name. |
/// | `base64` | Sends bytes or text as base64: `Vec<u8>`, `[u8; N]`, `[u8]`, `String` or `str`, also behind `&`, `Box`, `Arc` or `Cow`, and in an `Option`. |
/// | `skip` | Does not send it. |
///
/// A `#[serde(...)]` attribute would do nothing here, so it is an error that tells what to write instead.
///
/// # `Debug`
///
/// The derive writes no `Debug`. The standard library's own shows every argument: for a command that
/// carries a password or a file's contents, write it by hand, with `Hidden` in their place.
///
/// # Generics
///
/// The struct may have lifetimes, types and constants as parameters. The implementation asks for
/// `Serialize` where the type of a field mentions a type parameter, and for `DeserializeOwned` where
/// the response does.
#[proc_macro_derive(QgaCommand, attributes(qga))]
pub fn derive_qga_command(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    derive(&parse_macro_input!(input as DeriveInput)).into()
}

fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let command = validate::command(input, &mut errors);
    let implementation = expand::command(&command);
    quote!(#errors #implementation)
}
