use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = guest_ping, response = HashMap<String, 5 + 5>, retry = 3, crate = [u8])]
struct Ping {
    #[qga(rename = 'p')]
    path: String,
}

#[derive(QgaCommand)]
#[qga(name("guest-ping"), retry(Safe))]
struct Parenthesized;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = RetryClass::Safe)]
struct Qualified;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", reply_limit = "1 MiB")]
struct Limited;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", reply_limit = 1 +)]
struct Unfinished;

fn main() {}
