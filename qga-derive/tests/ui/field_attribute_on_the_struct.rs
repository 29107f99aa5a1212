use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-write", base64, rename = "file-write")]
struct FileWrite {
    handle: i64,
}

fn main() {}
