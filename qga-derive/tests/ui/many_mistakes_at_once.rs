use qga_core::QgaCommand;

struct NotSerialize;

#[derive(QgaCommand)]
#[qga(nam = "guest file open", response = "Handle", no_response = 1)]
#[qga(retry = Sometimes, retry = Safe, skip)]
struct FileOpen<T> {
    #[qga(base64 = true, rename = "", crate = qga_core)]
    path: NotSerialize,
    #[qga(bas64)]
    mode: T,
    #[qga(rename = "mode")]
    also_mode: u8,
}

#[derive(serde::Deserialize)]
struct Handle;

fn execute<C: QgaCommand>(_: C) {}

fn main() {
    let path = NotSerialize;
    execute(FileOpen { path, mode: NotSerialize, also_mode: 0 });
}
