//! `#[qga(...)]` and its like as syntax: keys and values, whatever they mean.
//!
//! After a mistake the reading goes on behind the next comma, so that each is found.

use crate::errors::Errors;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, LitStr, Token, Type};

pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Missing,
    Text(LitStr),
    /// Also a path or a single word.
    Type(Box<Type>),
    Other(TokenStream),
}

/// What stands in the attributes of this name.
pub(crate) fn entries(attributes: &[Attribute], name: &str, errors: &mut Errors) -> Vec<Entry> {
    let mut entries = Vec::new();
    for attribute in attributes {
        if !attribute.path().is_ident(name) {
            continue;
        }
        let list = |input: ParseStream<'_>| Ok(comma_separated(input, errors));
        match attribute.parse_args_with(list) {
            Ok(more) => entries.extend(more),
            Err(error) => errors.add(error),
        }
    }
    entries
}

fn comma_separated(input: ParseStream<'_>, errors: &mut Errors) -> Vec<Entry> {
    let mut entries = Vec::new();
    while !input.is_empty() {
        match input.call(Ident::parse_any) {
            Ok(key) => {
                let value = value(input);
                entries.push(Entry { key, value });
            }
            Err(error) => {
                errors.push_at(error.span(), "expected `key` or `key = value`");
                rest_of_entry(input);
            }
        }
        comma(input, errors);
    }
    entries
}

fn value(input: ParseStream<'_>) -> Value {
    if input.is_empty() || input.peek(Token![,]) || input.peek(Ident::peek_any) {
        return Value::Missing;
    }
    if input.parse::<Token![=]>().is_ok() {
        if input.peek(LitStr)
            && let Ok(text) = input.parse()
        {
            return Value::Text(text);
        }
        let ahead = input.fork();
        if ahead.parse::<Type>().is_ok()
            && (ahead.is_empty() || ahead.peek(Token![,]) || ahead.peek(Ident::peek_any))
            && let Ok(ty) = input.parse()
        {
            return Value::Type(ty);
        }
    }
    Value::Other(rest_of_entry(input))
}

fn comma(input: ParseStream<'_>, errors: &mut Errors) {
    if input.is_empty() || input.parse::<Token![,]>().is_ok() {
        return;
    }
    errors.push_at(input.span(), "expected `,`");
    if !input.peek(Ident::peek_any) {
        rest_of_entry(input);
        let _ = input.parse::<Token![,]>();
    }
}

/// Takes everything before the next comma that is not between `<` and `>`.
fn rest_of_entry(input: ParseStream<'_>) -> TokenStream {
    let mut rest = TokenStream::new();
    let mut depth = 0_usize;
    while depth > 0 || !input.peek(Token![,]) {
        let Ok(token) = input.parse::<TokenTree>() else {
            break;
        };
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest.extend([token]);
    }
    rest
}

impl Entry {
    /// What to point at when the value is wrong.
    pub(crate) fn value_or_key(&self) -> TokenStream {
        match &self.value {
            Value::Text(text) => text.to_token_stream(),
            Value::Type(ty) => ty.to_token_stream(),
            Value::Other(other) if !other.is_empty() => other.clone(),
            Value::Missing | Value::Other(_) => self.key.to_token_stream(),
        }
    }
}
