//! What the attributes of the struct become in the trait.

use qga_core::{Empty, NoReply, QgaCommand, Reply, RetryClass};

#[derive(Debug, PartialEq, serde::Deserialize)]
struct HostName;

/// Compiles only if the reply of `C` is an `R`.
fn answers<C: QgaCommand<Response = R>, R>() {}

#[test]
fn by_default_a_command_is_answered_with_the_empty_object_and_never_retried() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-ping")]
    struct Ping;

    assert_eq!(Ping::NAME, "guest-ping");
    assert_eq!(Ping::REPLY, Reply::Always);
    assert_eq!(Ping::RETRY, RetryClass::Never);
    answers::<Ping, Empty>();
}

#[test]
fn the_response_may_be_any_type() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-get-host-name", response = HostName)]
    struct GetHostName;

    #[derive(QgaCommand)]
    #[qga(
        name = "guest-get-host-name",
        response = std::collections::BTreeMap<String, (Vec<HostName>, [u8; 4])>,
        retry = Safe,
    )]
    struct GetHostNames;

    #[derive(QgaCommand)]
    #[qga(name = "guest-echo", response = Self)]
    #[derive(serde::Deserialize)]
    struct Echo;

    answers::<GetHostName, HostName>();
    answers::<GetHostNames, std::collections::BTreeMap<String, (Vec<HostName>, [u8; 4])>>();
    answers::<Echo, Echo>();
    assert_eq!(GetHostNames::RETRY, RetryClass::Safe);
}

#[test]
fn a_command_may_say_what_to_check_where_its_reply_was_lost() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-exec", check = "whether it runs")]
    struct Exec;

    #[derive(QgaCommand)]
    #[qga(name = "guest-ping")]
    struct Ping;

    assert_eq!(Exec::CHECK, Some("whether it runs"));
    assert_eq!(<&Exec as QgaCommand>::CHECK, Exec::CHECK);
    assert_eq!(Ping::CHECK, None);
}

#[test]
fn the_reply_limit_may_depend_on_the_arguments() {
    const KIB: usize = 1024;

    #[derive(QgaCommand)]
    #[qga(name = "guest-file-read", reply_limit = self.count as usize * 4 / 3 + 4 * KIB)]
    struct FileRead {
        count: u32,
    }

    #[derive(QgaCommand)]
    #[qga(name = "guest-exec-status", reply_limit = KIB)]
    struct ExecStatus;

    #[derive(QgaCommand)]
    #[qga(name = "guest-ping")]
    struct Ping;

    assert_eq!(FileRead { count: 3 * 1024 }.reply_limit(), Some(8 * KIB));
    assert_eq!(ExecStatus.reply_limit(), Some(KIB));
    assert_eq!(Ping.reply_limit(), None);
}

#[test]
fn no_response_means_a_reply_only_on_error() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-shutdown", no_response)]
    struct Shutdown;

    assert_eq!(Shutdown::REPLY, Reply::OnErrorOnly);
    answers::<Shutdown, NoReply>();
}

#[test]
fn each_retry_class_can_be_given() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-ping", retry = Safe)]
    struct Safe;

    #[derive(QgaCommand)]
    #[qga(name = "guest-ping", retry = AfterResync)]
    struct AfterResync;

    #[derive(QgaCommand)]
    #[qga(name = "guest-ping", retry = Never)]
    struct Never;

    assert_eq!(Safe::RETRY, RetryClass::Safe);
    assert_eq!(AfterResync::RETRY, RetryClass::AfterResync);
    assert_eq!(Never::RETRY, RetryClass::Never);
}

#[test]
fn several_attributes_add_up() {
    #[derive(QgaCommand)]
    #[qga(name = "__com.vendor_cmd")]
    #[qga()]
    #[qga(retry = Safe, response = HostName)]
    struct Vendor;

    assert_eq!(Vendor::NAME, "__com.vendor_cmd");
    assert_eq!(Vendor::RETRY, RetryClass::Safe);
    answers::<Vendor, HostName>();
}

#[test]
fn the_core_may_be_anywhere() {
    mod reexport {
        pub(crate) mod inner {
            pub(crate) use qga_core as core;
        }
    }

    #[derive(reexport::inner::core::QgaCommand)]
    #[qga(name = "guest-file-open", crate = reexport::inner::core, retry = Safe)]
    struct Relative {
        path: String,
    }

    #[derive(QgaCommand)]
    #[qga(name = "guest-shutdown", crate = ::qga_core, no_response)]
    struct Absolute;

    let path = "/etc".to_owned();
    assert!(Relative { path }.arguments().is_some());
    assert_eq!(Absolute::REPLY, Reply::OnErrorOnly);
}
