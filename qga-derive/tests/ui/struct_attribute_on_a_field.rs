use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open")]
struct FileOpen {
    #[qga(name = "path")]
    file: String,
    #[qga(retry = Safe)]
    mode: Option<String>,
}

fn main() {}
