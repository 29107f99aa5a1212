//! `qga doctor`.

mod channel;
mod guest;
mod machine;
mod report;

use clap::Args;
use qga_core::Address;

use self::report::{Finding, Report, Stage};
use super::Context;
use crate::options::Target;

#[derive(Debug, Args)]
#[command(after_help = "Example: qga doctor /run/qga/web1.sock")]
pub(crate) struct Doctor {
    #[command(flatten)]
    target: Target,
}

impl Doctor {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let word = &self.target.guest;
        let mut report = Report::default();
        if let Some(address) = read_address(context, word, &mut report) {
            channel::look(&address, &mut report);
            machine::ask(context, &address, &mut report).await;
            if report.is_well()
                && let Some(guest) = channel::connect(context, &address, &mut report).await
            {
                guest::examine(&guest, word, &mut report).await;
            }
        }
        report.print(context)?;
        anyhow::ensure!(report.is_well(), "something is wrong with {word}");
        Ok(())
    }
}

fn read_address(context: &Context, word: &str, report: &mut Report) -> Option<Address> {
    let text = context.config.address(word);
    let address = text.and_then(|text| Ok(text.parse::<Address>()?));
    match address {
        Ok(address) => {
            report.add(Stage::Address, Finding::well(address.to_string()));
            Some(address)
        }
        Err(error) => {
            let advice = "write a name of the configuration, a path that begins with . or /, or an address; \
                          `qga list` shows what is there";
            report.add(Stage::Address, Finding::bad(error.to_string(), advice));
            None
        }
    }
}
