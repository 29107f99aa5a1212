use super::arguments::Serve;
use super::serve::{Setup, announce, listen};
use super::{Failure, signals};

/// Descriptors that the program needs besides the sockets.
const SPARE_DESCRIPTORS: u64 = 64;

/// Serves many agents until the program is told to end.
pub(super) async fn serve(options: &Serve, count: usize) -> Result<(), Failure> {
    let setup = Setup::of(&options.agent)?;
    let stop = signals::stop()?;
    let folder = options.dir.clone().unwrap_or_default();
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    allow_descriptors(2 * count as u64 + SPARE_DESCRIPTORS);
    let mut agents = Vec::with_capacity(count);
    for number in 0..count {
        let path = folder.join(format!("agent-{number}.sock"));
        let agent = listen(&format!("unix:{}", path.display())).await?;
        setup.apply(&agent);
        agents.push(agent);
    }
    let last = count.saturating_sub(1);
    let folder = folder.display();
    announce(&format!("unix:{folder}/agent-{{0..{last}}}.sock"))?;
    stop.await;
    for agent in &agents {
        agent.reset();
    }
    Ok(())
}

/// Raises the limit for open files as far as allowed. If that is not enough, opening a socket fails and says so.
fn allow_descriptors(wanted: u64) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let highest = limit.maximum.unwrap_or(wanted).min(wanted);
        if limit.current.is_some_and(|current| current < highest) {
            let raised = Rlimit {
                current: Some(highest),
                maximum: limit.maximum,
            };
            let _ = setrlimit(Resource::Nofile, raised);
        }
    }
    #[cfg(not(unix))]
    let _ = wanted;
}
