//! `#[derive(QgaCommand)]` for `qga-core`.

use proc_macro::TokenStream;

/// Derives `QgaCommand`.
#[proc_macro_derive(QgaCommand, attributes(qga))]
pub fn derive_qga_command(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}
