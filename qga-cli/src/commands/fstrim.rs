//! `qga fstrim`.

use clap::Args;
use qga_commands::guest::fstrim::TrimmedFilesystem;
use serde_json::json;

use super::Context;
use crate::options::Target;
use crate::show;

#[derive(Debug, Args)]
pub(crate) struct Fstrim {
    #[command(flatten)]
    target: Target,
    /// Only runs of at least so many bytes.
    #[arg(long, value_name = "BYTES")]
    minimum: Option<u64>,
}

impl Fstrim {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let mut trim = guest.fstrim();
        if let Some(bytes) = self.minimum {
            trim = trim.minimum(bytes);
        }
        let trimmed = trim.await?;
        if context.is_json() {
            show::json(
                "filesystems",
                trimmed.iter().map(as_json).collect::<Vec<_>>(),
            )?;
        } else {
            show::table(["mounted at", "trimmed"], trimmed.iter().map(row))?;
        }
        let failed = trimmed.iter().filter(|it| it.trimmed.is_err()).count();
        anyhow::ensure!(failed == 0, "{failed} filesystems were not trimmed");
        Ok(())
    }
}

fn as_json(it: &TrimmedFilesystem) -> serde_json::Value {
    match &it.trimmed {
        Ok(bytes) => json!({"path": it.path, "bytes": bytes}),
        Err(error) => json!({"path": it.path, "error": error.text()}),
    }
}

fn row(it: &TrimmedFilesystem) -> [String; 2] {
    let trimmed = match &it.trimmed {
        Ok(bytes) => bytes.map_or_else(|| "yes".to_owned(), show::size),
        Err(error) => error.to_string(),
    };
    [it.path.clone(), trimmed]
}
