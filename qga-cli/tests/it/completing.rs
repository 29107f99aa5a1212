//! What a shell offers.

use tempfile::TempDir;

use crate::support::{ended, guest, qga};

/// A user, and the guests of the configuration.
fn home(config: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/qga");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), config).unwrap();
    home
}

/// What is offered for the last word of a line.
async fn offered(home: &TempDir, line: &[&str]) -> Vec<String> {
    let mut command = qga(&["--", "qga"]);
    command
        .args(line)
        .env("HOME", home.path())
        .env("COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", line.len().to_string());
    let run = ended(command.output().await.unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.stdout.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn subcommands_names_and_groups_are_offered() {
    let home = home(
        "[guests]\nweb1 = 'tcp:a:1'\nweb2 = 'tcp:a:2'\n\"w\\u001b\" = 'tcp:a:3'\n[groups]\nwebs = ['web1']\n",
    );
    assert_eq!(offered(&home, &["fstr"]).await, ["fstrim"]);
    assert_eq!(offered(&home, &["ping", "we"]).await, ["web1", "web2"]);
    assert_eq!(offered(&home, &["each", "webs"]).await, ["webs"]);
    assert_eq!(offered(&home, &["cp", "web1"]).await, ["web1:/"]);
    assert_eq!(offered(&home, &["ping", "w"]).await, ["web1", "web2"]);
}

#[tokio::test]
async fn a_real_shell_completes_with_what_is_printed_for_it() {
    let home = home("[guests]\nweb1 = 'tcp:a:1'\n");
    let script = "source <(qga completions bash)
        COMP_WORDS=(qga cp web1:) COMP_CWORD=2 COMP_LINE='qga cp web1:' COMP_POINT=12 COMP_TYPE=9
        _clap_complete_qga qga web1: cp && echo \"${COMPREPLY[@]}\"";
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_qga"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut bash = tokio::process::Command::new("bash");
    bash.args(["-c", script])
        .env("HOME", home.path())
        .env("PATH", path);
    bash.env_remove("XDG_CONFIG_HOME");
    let output = bash.output().await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "web1:/\n");
}

#[tokio::test]
async fn paths_of_a_guest_are_offered() {
    let (agent, address) = guest().await;
    agent.file("/srv/www/index.html", "");
    agent.folder("/srv/www/images");
    agent.file("/srv/wi\u{1b}[2J", "");
    let home = home(&format!("[guests]\nweb1 = '{address}'\n"));
    assert_eq!(
        offered(&home, &["cat", "web1", "/srv/w"]).await,
        ["/srv/www/"]
    );
    let both = ["/srv/www/images/", "/srv/www/index.html"];
    let mut found = offered(&home, &["ls", "--long", "web1", "/srv/www/i"]).await;
    found.sort();
    assert_eq!(found, both);
    let copied = offered(&home, &["cp", "-r", "web1:/srv/www/im"]).await;
    assert_eq!(copied, ["web1:/srv/www/images/"]);
}

#[tokio::test]
async fn a_guest_that_does_not_answer_offers_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silent");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let home = home(&format!("[guests]\nweb1 = 'unix:{}'\n", path.display()));
    assert!(offered(&home, &["cat", "web1", "/"]).await.is_empty());
}

#[tokio::test]
async fn no_program_of_this_host_is_run_for_a_line_that_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("proof");
    let address = format!("exec:touch {}", proof.display());
    assert!(offered(&home(""), &["cat", &address, "/"]).await.is_empty());
    let place = format!("{address}:/");
    assert!(offered(&home(""), &["cp", &place]).await.is_empty());
    assert!(!proof.exists());
}
