use qga_core::QgaCommand;

struct Mode;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open")]
struct FileOpen<M> {
    path: String,
    mode: Option<M>,
}

fn execute<C: QgaCommand>(_: C) {}

fn main() {
    let path = String::new();
    execute(FileOpen { path, mode: Some(Mode) });
}
