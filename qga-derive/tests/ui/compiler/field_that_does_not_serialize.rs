use qga_core::QgaCommand;

struct Mode;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open")]
struct FileOpen {
    path: String,
    mode: Option<Mode>,
}

fn main() {}
