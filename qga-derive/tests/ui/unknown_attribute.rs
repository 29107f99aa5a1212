use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(nmae = "guest-file-open", reponse = Handle, timeout = 5)]
struct FileOpen {
    #[qga(base46)]
    path: String,
    #[qga(default)]
    mode: Option<String>,
}

#[derive(serde::Deserialize)]
struct Handle;

fn main() {}
