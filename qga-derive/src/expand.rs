//! The implementation of the trait.

use crate::validate::{Command, Field};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

pub(crate) fn command(command: &Command<'_>) -> TokenStream {
    let core = &command.core;
    let private = quote!(#core::__private);
    let ident = command.ident;
    let (impl_generics, ty_generics, _) = command.generics.split_for_impl();
    let where_clause = where_clause(command, &private);
    let name = &command.name;
    let protocol = command
        .protocol
        .as_ref()
        .map(|protocol| quote!(<#protocol>));
    let retry = command.retry.iter();
    let check = command.check.iter();
    let secret_reply = command
        .secret_reply
        .then(|| quote!(const SECRET_REPLY: #private::bool = true;));
    let response = response(command);
    let arguments = arguments(&command.fields, &private);
    let reply_limit = command.reply_limit.iter();
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #impl_generics #core::QgaCommand #protocol for #ident #ty_generics #where_clause {
            const NAME: &'static #private::str = #name;
            #(const RETRY: #core::RetryClass = #core::RetryClass::#retry;)*
            #(
                const CHECK: #private::Option<&'static #private::str> = #private::Some(#check);
            )*
            #secret_reply
            #response

            fn arguments(&self) -> #private::Option<impl #private::Serialize> {
                #arguments
            }
            #(
                fn reply_limit(&self) -> #private::Option<#private::usize> {
                    #private::Some(#reply_limit)
                }
            )*
        }
    }
}

fn response(command: &Command<'_>) -> TokenStream {
    let core = &command.core;
    if command.no_response {
        quote! {
            const REPLY: #core::Reply = #core::Reply::OnErrorOnly;
            type Response = #core::NoReply;
            fn no_reply(how: #core::NoReply) -> #core::__private::Option<#core::NoReply> {
                #core::__private::Some(how)
            }
        }
    } else if let Some(ty) = &command.response {
        quote!(type Response = #ty;)
    } else {
        quote!(type Response = #core::Empty;)
    }
}

fn arguments(fields: &[Field<'_>], private: &TokenStream) -> TokenStream {
    if fields.is_empty() {
        return quote!(#private::None::<()>);
    }
    let with = fields.iter().map(|field| {
        let ident = field.ident;
        let name = &field.wire_name;
        // Where the compiler reports a type that cannot be sent.
        let here = ident.span().resolved_at(Span::call_site());
        let value = quote_spanned!(here=> &self.#ident);
        if field.base64 {
            quote!(with_base64(#name, #value))
        } else {
            quote!(with(#name, #value))
        }
    });
    quote!(#private::Some(#private::ArgumentList::new() #(.#with)*))
}

/// The bounds of the type, and those that the implementation needs where it is generic.
fn where_clause(command: &Command<'_>, private: &TokenStream) -> Option<TokenStream> {
    let generics = command.generics;
    let params: Vec<_> = generics.type_params().map(|param| &param.ident).collect();
    let of_self = (!params.is_empty()).then(|| quote!(Self: #private::Send + #private::Sync));
    let of_response = command
        .response
        .iter()
        .filter(|ty| mentions(ty.to_token_stream(), &params))
        .map(|ty| quote!(#ty: #private::DeserializeOwned + #private::Send + 'static));
    let of_fields = command
        .fields
        .iter()
        .filter(|field| mentions(field.ty.to_token_stream(), &params))
        .map(|Field { ty, base64, .. }| match base64 {
            true => quote!(#ty: #private::Bytes),
            false => quote!(#ty: #private::Serialize),
        });
    let given = generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates);
    let bounds: Vec<_> = given
        .map(ToTokens::to_token_stream)
        .chain(of_self)
        .chain(of_response)
        .chain(of_fields)
        .collect();
    (!bounds.is_empty()).then(|| quote!(where #(#bounds,)*))
}

/// Whether `ty` depends on one of the type parameters.
fn mentions(ty: TokenStream, params: &[&Ident]) -> bool {
    let mut in_path = false;
    ty.into_iter().any(|token| {
        let found = match &token {
            TokenTree::Ident(ident) => !in_path && params.contains(&ident),
            TokenTree::Group(group) => mentions(group.stream(), params),
            _ => false,
        };
        in_path = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ':');
        found
    })
}
