use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name, response, retry = , crate)]
struct FileOpen {
    #[qga(rename)]
    path: String,
}

fn main() {}
