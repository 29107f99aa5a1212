use qga_core::Client;

struct NotACommand;

async fn run(client: Client) -> Result<(), qga_core::Error> {
    client.execute(NotACommand).await?;
    let answer = client.execute(&NotACommand).await?;
    println!("{answer:?}");
    Ok(())
}

fn main() {}
