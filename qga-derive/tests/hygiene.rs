//! The expansion does not care what the names around it mean.
#![deny(deprecated)]

use qga_core::QgaCommand;

#[track_caller]
fn assert_sent(command: &impl QgaCommand, json: &str) {
    let sent = command.arguments().map(|list| serde_json::to_string(&list));
    assert_eq!(sent.transpose().ok().flatten().as_deref(), Some(json));
}

mod nothing_in_scope {
    #![no_implicit_prelude]

    #[derive(::qga_core::QgaCommand)]
    #[qga(name = "guest-file-write", response = ::std::string::String, retry = Safe)]
    pub(super) struct FileWrite<'a, T> {
        pub(super) handle: &'a T,
        #[qga(base64)]
        pub(super) buf: ::std::option::Option<&'a [u8]>,
    }

    #[derive(::qga_core::QgaCommand)]
    #[qga(name = "guest-shutdown", no_response)]
    pub(super) struct Shutdown;
}

#[allow(dead_code, non_camel_case_types, clippy::upper_case_acronyms)]
mod everything_shadowed {
    use ::qga_core::QgaCommand as Derive;

    struct Option;
    struct Result;
    struct Vec;
    struct String;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Box;
    struct Default;
    struct str;
    struct u8;
    struct RetryClass;
    struct Reply;
    struct Empty;
    struct ArgumentList;
    trait Serialize {}
    trait Send {}
    trait Sync {}
    trait QgaCommand {}
    mod core {}
    mod std {}
    mod serde {}
    mod qga_core {}

    #[derive(Derive)]
    #[qga(name = "guest-file-write", retry = AfterResync)]
    pub(super) struct FileWrite<'a, T> {
        pub(super) handle: &'a T,
        #[qga(base64)]
        pub(super) buf: &'a [::core::primitive::u8],
    }

    #[derive(Derive)]
    #[qga(name = "guest-shutdown", no_response)]
    pub(super) struct Shutdown;
}

/// Methods with the names that the expansion calls, on everything.
mod methods_in_the_way {
    #[allow(dead_code)]
    trait InTheWay: Sized {
        fn with(self, _: &str, _: u8) {}
        fn with_base64(self, _: &str, _: u8) {}
        fn new() -> Option<Self> {
            None
        }
        fn arguments(&self) {}
    }

    impl<T> InTheWay for T {}

    #[derive(qga_core::QgaCommand)]
    #[qga(name = "guest-file-write")]
    pub(super) struct FileWrite<'a> {
        pub(super) handle: u8,
        #[qga(base64)]
        pub(super) buf: &'a [u8],
    }
}

#[test]
fn a_command_works_where_nothing_is_in_scope() {
    let write = nothing_in_scope::FileWrite {
        handle: &1,
        buf: Some(b"AA"),
    };
    assert_sent(&write, r#"{"handle":1,"buf":"QUE="}"#);
    assert!(nothing_in_scope::Shutdown.arguments().is_none());
}

#[test]
fn a_command_works_where_every_name_means_something_else() {
    let write = everything_shadowed::FileWrite {
        handle: &1,
        buf: b"AA",
    };
    assert_sent(&write, r#"{"handle":1,"buf":"QUE="}"#);
    assert!(everything_shadowed::Shutdown.arguments().is_none());
}

#[test]
fn a_command_works_where_traits_offer_methods_of_the_same_names() {
    let write = methods_in_the_way::FileWrite {
        handle: 1,
        buf: b"AA",
    };
    assert_sent(&write, r#"{"handle":1,"buf":"QUE="}"#);
}

#[test]
fn fields_and_parameters_may_have_any_name() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-exec")]
    struct Exec<__P, V, L, const __N: usize> {
        self_: __P,
        map: V,
        serializer: L,
        with: u8,
        arguments: u8,
        r#fn: u8,
        #[qga(base64)]
        bytes: [u8; __N],
    }

    let command = Exec {
        self_: 1,
        map: "2",
        serializer: Some(3),
        with: 4,
        arguments: 5,
        r#fn: 6,
        bytes: *b"AA",
    };
    assert_sent(
        &command,
        r#"{"self-":1,"map":"2","serializer":3,"with":4,"arguments":5,"fn":6,"bytes":"QUE="}"#,
    );
}

#[test]
fn a_macro_may_write_the_command() {
    macro_rules! command {
        ($core:path, $ident:ident, $name:literal, $wire:expr, $response:ty, $retry:ident,
         $field:ident: $ty:ty) => {
            #[derive(QgaCommand)]
            #[qga(name = $name, response = $response, retry = $retry, crate = $core)]
            struct $ident<T> {
                own: u8,
                $field: $ty,
                #[qga(rename = $wire)]
                generic: Option<T>,
            }
        };
    }

    command!(::qga_core, Exec, "guest-exec", "type", Vec<String>, Safe, field: &'static str);

    let command = Exec {
        own: 1,
        field: "2",
        generic: Some(3),
    };
    assert_sent(&command, r#"{"own":1,"field":"2","type":3}"#);
    assert_eq!(Exec::<u8>::NAME, "guest-exec");
    assert_eq!(Exec::<u8>::RETRY, qga_core::RetryClass::Safe);
}

mod reexport {
    pub(crate) use qga_core as core;
}

#[test]
fn a_macro_may_bring_its_own_core() {
    macro_rules! command {
        ($ident:ident) => {
            #[derive($crate::reexport::core::QgaCommand)]
            #[qga(name = "guest-file-close", crate = $crate::reexport::core)]
            struct $ident {
                handle: u8,
            }
        };
    }

    command!(FileClose);

    assert_sent(&FileClose { handle: 1 }, r#"{"handle":1}"#);
}

#[test]
fn a_deprecated_command_gives_no_warning_of_its_own() {
    #[deprecated]
    #[derive(QgaCommand)]
    #[qga(name = "guest-file-write")]
    struct FileWrite {
        #[deprecated]
        handle: u8,
        #[deprecated]
        #[qga(base64)]
        buf: Vec<u8>,
    }

    #[allow(deprecated)]
    let command = FileWrite {
        handle: 1,
        buf: b"AA".to_vec(),
    };
    assert_sent(&command, r#"{"handle":1,"buf":"QUE="}"#);
}
