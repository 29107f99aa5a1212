use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga("guest-file-open")]
struct NameWithoutKey;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open" retry = Sfae; response = Handle)]
struct WithoutCommas {
    #[qga(base64 rename = "buf-b64",,)]
    buf: Vec<u8>,
}

fn main() {}
