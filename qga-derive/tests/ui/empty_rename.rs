use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open")]
struct FileOpen {
    #[qga(rename = "")]
    path: String,
    #[qga(rename = "")]
    mode: String,
}

fn main() {}
