//! What the program says of itself.

use crate::support::run;

#[tokio::test]
async fn each_subcommand_has_help_and_a_manual_page() {
    let help = run(&["--help"]).await;
    assert_eq!(help.code, 0);
    let commands = help
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1);
    let commands: Vec<_> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        assert_eq!(run(&[command, "--help"]).await.code, 0, "{command}");
        assert!(
            run(&["man", command]).await.stdout.contains(".SH NAME"),
            "{command}"
        );
    }
}

#[tokio::test]
async fn a_version_and_completions_are_printed() {
    let version = run(&["--version"]).await;
    assert_eq!(
        version.stdout,
        concat!("qga ", env!("CARGO_PKG_VERSION"), "\n")
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            run(&["completions", shell])
                .await
                .stdout
                .contains("COMPLETE"),
            "{shell}"
        );
    }
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_no_exit_code_of_a_guest() {
    for args in [
        &["exec"][..],
        &["nonsense"],
        &["ping", "fake", "--nonsense"],
        &[],
    ] {
        assert_eq!(run(args).await.code, 125, "{args:?}");
    }
}
