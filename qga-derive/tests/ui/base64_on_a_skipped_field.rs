use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-write")]
struct FileWrite {
    #[qga(base64, skip)]
    buf: Vec<u8>,
    #[qga(skip, rename = "n")]
    count: usize,
}

fn main() {}
