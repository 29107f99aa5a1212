use qga_core::{Client, QgaCommand};

enum Monitor {}

#[derive(QgaCommand)]
#[qga(name = "query-status", protocol = Monitor)]
struct QueryStatus;

#[derive(QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

fn send_to_a_monitor<C: QgaCommand<Monitor>>(_: C) {}

async fn run(client: Client) -> Result<(), qga_core::Error> {
    send_to_a_monitor(QueryStatus);
    send_to_a_monitor(Ping);
    client.execute(Ping).await?;
    client.execute(QueryStatus).await?;
    Ok(())
}

fn main() {}
