use qga_core::QgaCommand;

#[derive(serde::Deserialize)]
struct HostName {
    name: String,
}

struct NotSerialize;

#[derive(QgaCommand)]
#[qga(name = "guest-get-host-name", respnse = HostName)]
struct GetHostName<T> {
    #[qga(base64)]
    value: T,
    other: NotSerialize,
}

#[derive(QgaCommand)]
#[qga(name = "guest-shutdown", no_reponse)]
enum Shutdown {
    Halt,
}

fn execute<C: QgaCommand>(_: C) -> C::Response {
    unimplemented!()
}

fn main() {
    let value = NotSerialize;
    let other = NotSerialize;
    let _: String = execute(GetHostName { value, other }).name;
    let _: qga_core::NoReply = execute(Shutdown::Halt);
}
