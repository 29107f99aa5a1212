use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open")]
struct FileOpen(#[qga(rname = "path")] String);

fn main() {}
