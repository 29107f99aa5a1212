use qga_core::QgaCommand;

#[derive(serde::Deserialize)]
struct HostName {
    name: String,
}

#[derive(QgaCommand)]
#[qga(name = "guest-get-host-name", response = "HostName", retry = "Safe", crate = "qga_core")]
struct GetHostName;

fn execute<C: QgaCommand>(_: C) -> C::Response {
    unimplemented!()
}

fn main() {
    let _: String = execute(GetHostName).name;
}
