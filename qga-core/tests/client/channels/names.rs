//! Names of hosts.

use qga_core::Stage;

use super::{Failing, assert_say};
use crate::support::chain;

#[tokio::test]
async fn a_host_name_that_leads_nowhere_is_named() {
    let errors = Failing::new().errors("tcp:no..such..host:80").await;
    assert_say(
        &errors,
        Stage::Connect,
        &["no address is found for the host no..such..host"],
    );
    for error in &errors {
        assert_eq!(
            chain(error).matches("no..such..host").count(),
            2,
            "{}",
            chain(error)
        );
    }
}
