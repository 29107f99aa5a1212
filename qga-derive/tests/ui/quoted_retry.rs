use qga_core::QgaCommand;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = "safe")]
struct Ping;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = "AfterResync")]
struct PingToo;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = "Always")]
struct PingThree;

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = qga_core::RetryClass::Safe)]
struct PingFour;

fn main() {}
