use qga_testserver::TestAgent;
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use crate::wire::Wire;

/// An agent and a client that asks for values.
pub(crate) struct Caller {
    pub(crate) agent: TestAgent,
    pub(crate) client: Wire<DuplexStream>,
}

impl Caller {
    pub(crate) fn new() -> Self {
        let (agent, stream) = TestAgent::in_memory();
        let client = Wire::new(stream);
        Self { agent, client }
    }

    /// What the command returns, or the text of its error.
    pub(crate) async fn call(&mut self, command: &str, arguments: Value) -> Value {
        let request = json!({"execute": command, "arguments": arguments});
        let line = self.client.ask(request.to_string()).await;
        let reply: Value = serde_json::from_str(&line).unwrap();
        match reply.get("return") {
            Some(value) => value.clone(),
            None => reply["error"]["desc"].clone(),
        }
    }

    /// A command without arguments.
    pub(crate) async fn get(&mut self, command: &str) -> Value {
        self.call(command, json!({})).await
    }
}
