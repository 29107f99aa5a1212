use qga_core::QgaCommand;
use serde::Serialize;

#[derive(Serialize, QgaCommand)]
#[qga(name = "guest-file-open")]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileOpen {
    path: String,
}

#[derive(Serialize, QgaCommand)]
#[qga(name = "guest-file-open")]
#[serde(rename_all = "camelCase")]
#[serde(rename = "open", crate = "serde", bound = "")]
struct FileOpenToo {
    path: String,
}

#[derive(Serialize, QgaCommand)]
#[qga(name = "guest-file-open")]
#[serde(transparent)]
struct FileOpenThree {
    path: String,
}

fn main() {}
