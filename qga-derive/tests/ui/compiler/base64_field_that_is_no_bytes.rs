use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-write")]
struct FileWrite {
    handle: i64,
    #[qga(base64)]
    buf: Vec<u32>,
}

fn main() {}
