use super::derive;
use quote::quote;

fn expansion(input: proc_macro2::TokenStream) -> String {
    let tokens = derive(&syn::parse2(input).unwrap());
    prettyplease::unparse(&syn::parse2(tokens).unwrap())
}

#[track_caller]
fn assert_expansion(name: &str, input: proc_macro2::TokenStream) {
    insta::with_settings!(
        { omit_expression => true, prepend_module_to_snapshot => false },
        { insta::assert_snapshot!(name, expansion(input)) }
    );
}

#[test]
fn a_unit_struct_expands_to_the_trait_alone() {
    assert_expansion(
        "unit_struct",
        quote! {
            #[qga(name = "guest-ping")]
            struct Ping;
        },
    );
}

#[test]
fn everything_at_once_expands_readably() {
    assert_expansion(
        "everything",
        quote! {
            #[qga(name = "guest-exec", response = Vec<R>, retry = AfterResync)]
            #[qga(crate = crate::reexported::core, secret_reply, check = "ps", reply_limit = self.input_data.len() * 4 / 3)]
            pub struct Exec<'a, T: Clone, R, B = Vec<u8>, const N: usize = 2>
            where
                T: 'a,
            {
                path: &'a str,
                r#type: Option<T>,
                #[qga(rename = "env")]
                environment: [T; N],
                #[qga(base64)]
                input_data: &'a [u8],
                #[qga(base64)]
                generic: Option<B>,
                #[qga(skip)]
                response: PhantomData<R>,
            }
        },
    );
}

#[test]
fn a_command_without_response_expands_to_no_reply() {
    assert_expansion(
        "no_response",
        quote! {
            #[qga(name = "guest-shutdown", no_response)]
            struct Shutdown {
                mode: Option<String>,
            }
        },
    );
}

#[test]
fn a_command_of_another_protocol_expands_to_the_trait_for_that_protocol() {
    assert_expansion(
        "protocol",
        quote! {
            #[qga(name = "query-status", protocol = qga_qmp::Qmp, retry = Safe)]
            struct QueryStatus;
        },
    );
}

#[test]
fn a_mistake_leaves_an_implementation_without_arguments() {
    assert_expansion(
        "mistake",
        quote! {
            #[qga(name = "guest exec", response = "Exec", retry = safe)]
            struct Exec<T> {
                path: T,
            }
        },
    );
}

#[test]
fn a_parameter_counts_only_as_itself() {
    let expansion = expansion(quote! {
        #[qga(name = "guest-exec", response = other::T)]
        struct Exec<T> {
            #[qga(skip)]
            skipped: T,
            another: other::T,
            function: fn(Vec<T>) -> u8,
            tuple: (u8, T),
            projected: T::Item,
        }
    });
    let bounds: Vec<_> = expansion
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_suffix(": ::qga_core::__private::Serialize,")
        })
        .collect();
    assert_eq!(bounds, ["fn(Vec<T>) -> u8", "(u8, T)", "T::Item"]);
    assert!(!expansion.contains("DeserializeOwned"));
}

#[test]
fn with_a_path_to_the_core_nothing_else_names_it() {
    let expansion = expansion(quote! {
        #[qga(name = "guest-exec", crate = elsewhere, retry = Safe)]
        struct Exec<T> {
            path: T,
        }
    });
    assert!(expansion.contains("elsewhere::__private"));
    assert!(!expansion.contains("qga_core"));
}
