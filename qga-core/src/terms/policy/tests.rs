use std::sync::atomic::AtomicUsize;

use super::*;

/// A policy, and how often it has told of a change.
fn policy(lists: Lists) -> (Arc<Policy>, Arc<AtomicUsize>) {
    let changes = Arc::new(AtomicUsize::new(0));
    (Arc::new(Policy::new(lists, changes.clone())), changes)
}

impl AwaitHolds for AtomicUsize {
    fn hold_ended(&self) {
        self.fetch_add(1, Ordering::Relaxed);
    }
}

fn only(name: &'static str) -> Box<Runs> {
    Box::new(move |command| command == name)
}

#[test]
fn what_is_not_allowed_or_is_denied_is_refused_for_good() {
    let mut lists = Lists::default();
    lists.allow(["ping", "info"]);
    lists.allow(["time"]);
    lists.deny(["info"]);
    lists.deny(["exec"]);
    let (policy, _) = policy(lists);
    for command in ["ping", "time"] {
        policy.check(command).unwrap();
    }
    for command in ["info", "exec", "shutdown"] {
        let error = policy.check(command).unwrap_err();
        assert!(error.is_not_allowed() && error.is_permanent(), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
        assert!(!policy.refusal(command).unwrap().ends_soon());
    }
}

#[test]
fn a_client_that_cannot_keep_its_promise_refuses_everything() {
    let mut lists = Lists::default();
    lists.allow(["ping"]);
    lists.refuse_all("it has no lock");
    let (policy, _) = policy(lists);
    let error = policy.check("ping").unwrap_err();
    assert!(error.to_string().contains("it has no lock"), "{error}");
}

#[test]
fn a_hold_refuses_until_it_is_dropped_which_is_told() {
    let (policy, changes) = policy(Lists::default());
    policy.check("exec").unwrap();
    let first = policy.hold("an update".into(), only("ping"));
    let second = policy.hold("a backup".into(), only("ping"));
    policy.check("ping").unwrap();
    let error = policy.check("exec").unwrap_err();
    assert!(error.is_not_allowed() && !error.is_permanent(), "{error}");
    drop(first);
    assert_eq!(changes.load(Ordering::Relaxed), 1);
    let error = policy.check("exec").unwrap_err();
    assert!(error.to_string().contains("a backup"), "{error}");
    // It has a number of its own, so that nobody else's end is its end.
    let third = policy.hold("a test".into(), only("ping"));
    drop(third);
    assert!(policy.check("exec").is_err());
    drop(second);
    assert_eq!(changes.load(Ordering::Relaxed), 3);
    policy.check("exec").unwrap();
}

#[test]
fn a_hold_that_ends_soon_is_waited_for_unless_another_one_lasts() {
    let (policy, _) = policy(Lists::default());
    let lasting = policy.hold("a backup".into(), only("ping"));
    let ending = policy.hold("an update".into(), only("ping"));
    ending.ends_soon();
    let refusal = policy.refusal("exec").unwrap();
    assert!(!refusal.ends_soon());
    assert!(refusal.into_error().to_string().contains("a backup"));
    drop(lasting);
    assert!(policy.refusal("exec").unwrap().ends_soon());
    assert!(policy.refusal("ping").is_none());
}

#[test]
fn debug_shows_no_more_than_names() {
    let (policy, _) = policy(Lists::default());
    let hold = policy.hold("an update".into(), only("ping"));
    assert_eq!(format!("{hold:?}"), "Hold { .. }");
    let holds = policy.holds();
    assert_eq!(
        format!("{:?}", *holds),
        "[Entry { reason: \"an update\", .. }]"
    );
}
