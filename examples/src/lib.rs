//! What the example programs share: an agent to talk to.

use qga_testserver::TestAgent;

/// The agent whose address is the program's first argument, or else a fake one in this process.
pub struct Agent {
    address: String,
    /// It stops when it is dropped.
    _fake: Option<TestAgent>,
}

/// See [`Agent`].
pub async fn agent() -> Agent {
    if let Some(address) = std::env::args().nth(1) {
        return Agent {
            address,
            _fake: None,
        };
    }
    let fake = TestAgent::start().await;
    Agent {
        address: fake.address(),
        _fake: Some(fake),
    }
}

impl Agent {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}
