use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open", crate = renamed_core)]
struct FileOpen {
    path: String,
}

fn main() {}
