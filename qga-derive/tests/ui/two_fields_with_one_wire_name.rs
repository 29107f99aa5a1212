use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open")]
struct FileOpen {
    path: String,
    #[qga(rename = "path")]
    file: String,
    r#type: String,
    #[qga(rename = "type")]
    kind: String,
    #[qga(rename = "mode")]
    open_mode: String,
    mode: String,
    #[qga(skip)]
    skipped: String,
    #[qga(rename = "skipped")]
    kept: String,
}

fn main() {}
