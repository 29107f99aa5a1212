use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-write", no_response = true)]
struct FileWrite {
    #[qga(base64 = "standard")]
    buf: Vec<u8>,
    #[qga(skip(always))]
    count: usize,
}

fn main() {}
