use super::arguments::{Arguments, Kind, Parameter, optional, required};
use super::{Command, Context, base64, nothing};
use crate::guest::facts::Password;
use crate::profile::Platform;
use crate::wire::json::{Object, Value, text};
use crate::wire::reply::{Failure, Outcome};

const USER: Parameter = required("username", Kind::Text);
const KEYS: Parameter = required("keys", Kind::Texts);

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "guest-set-user-password",
        parameters: &[
            USER,
            required("password", Kind::Text),
            required("crypted", Kind::Boolean),
        ],
        run: set_password,
    },
    Command {
        name: "guest-ssh-get-authorized-keys",
        parameters: &[USER],
        run: get_keys,
    },
    Command {
        name: "guest-ssh-add-authorized-keys",
        parameters: &[USER, KEYS, optional("reset", Kind::Boolean)],
        run: add_keys,
    },
    Command {
        name: "guest-ssh-remove-authorized-keys",
        parameters: &[USER, KEYS],
        run: remove_keys,
    },
];

fn set_password(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let user = arguments.text("username").unwrap_or_default();
    let raw = base64::decode(arguments.text("password").unwrap_or_default())?;
    // The agent holds it as a C string.
    let raw = raw.split(|byte| *byte == 0).next().unwrap_or_default();
    if raw.contains(&b'\n') {
        let text = "forbidden characters in raw password";
        return Err(Failure::generic(text));
    }
    if user.iter().any(|byte| matches!(byte, b':' | b'\n')) {
        return Err(Failure::generic("forbidden characters in username"));
    }
    let on_windows = context.settings.profile.platform() == Platform::Windows;
    let mut machine = context.machine();
    let accounts = &mut machine.facts_mut().accounts;
    let account = accounts
        .iter_mut()
        .find(|account| account.name.as_bytes() == user);
    let crypted = arguments.boolean("crypted").unwrap_or_default();
    // A program of Linux sets it, which takes no empty one.
    let is_taken = crypted || !raw.is_empty() || on_windows;
    let Some(account) = account.filter(|_| is_taken) else {
        return Err(not_changed(user, context.settings.profile.since(8, 0)));
    };
    account.password = Some(Password {
        text: text(raw),
        crypted,
    });
    Ok(nothing())
}

fn not_changed(user: &[u8], with_output: bool) -> Failure {
    let what = b"child process has failed to set user password";
    let output = [
        b": chpasswd: (user ",
        user,
        b") pam_chauthtok() failed, error:\nAuthentication token manipulation error\n\
          chpasswd: (line 1, user ",
        user,
        b") password not changed\n",
    ]
    .concat();
    let output = if with_output { output } else { Vec::new() };
    Failure::generic([&what[..], &output].concat())
}

fn get_keys(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let path = keys_file(context, arguments)?;
    let lines = lines(context, &path).ok_or_else(|| {
        let text = format!(
            "failed to read '{path}': Failed to open file \u{201C}{path}\u{201D}: \
             No such file or directory"
        );
        Failure::generic(text)
    })?;
    let lines = lines.iter().rev().map(|line| line.trim_ascii());
    let keys = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let keys = Value::Array(keys.map(|key| Value::String(key.to_vec())).collect());
    Ok(Value::Object(Object::of([("keys", keys)])))
}

fn add_keys(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let keys = checked_keys(arguments)?;
    let path = keys_file(context, arguments)?;
    check_home(context, &path)?;
    let kept = match arguments.boolean("reset") {
        Some(true) => None,
        _ => lines(context, &path),
    };
    let mut lines = kept.unwrap_or_default();
    for key in keys {
        if !lines.iter().any(|line| line == key) {
            lines.push(key.to_vec());
        }
    }
    write(context, &path, &lines)
}

fn remove_keys(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let keys = checked_keys(arguments)?;
    let path = keys_file(context, arguments)?;
    let Some(mut lines) = lines(context, &path) else {
        return Ok(nothing());
    };
    lines.retain(|line| !keys.contains(&line.as_slice()));
    write(context, &path, &lines)
}

/// Keys are checked before the user.
fn checked_keys(arguments: Arguments<'_>) -> Result<Vec<&[u8]>, Failure> {
    let keys = arguments.texts("keys").unwrap_or_default();
    let bad = |key: &&&[u8]| key.starts_with(b"#") || key.contains(&b'\n');
    match keys.iter().find(bad) {
        Some(key) => {
            let text = [b"invalid OpenSSH public key: '", *key, b"'"].concat();
            Err(Failure::generic(text))
        }
        None => Ok(keys),
    }
}

fn keys_file(context: &Context<'_>, arguments: Arguments<'_>) -> Result<String, Failure> {
    let user = arguments.text("username").unwrap_or_default();
    let machine = context.machine();
    let mut accounts = machine.facts().accounts.iter();
    let account = accounts.find(|account| account.name.as_bytes() == user);
    let account = account.ok_or_else(|| {
        // The C library has set no error number, and says so.
        Failure::generic([b"failed to lookup user '", user, b"': Success"].concat())
    })?;
    Ok(format!("{}/.ssh/authorized_keys", account.home))
}

/// The agent makes the folder of the keys, but no home.
fn check_home(context: &Context<'_>, keys_file: &str) -> Result<(), Failure> {
    let folder = keys_file.trim_end_matches("/authorized_keys");
    let home = folder.trim_end_matches("/.ssh");
    let is_usual = home == "/root" || home.starts_with("/home/") || !home.starts_with('/');
    if is_usual || context.machine().files.exists(home.as_bytes()) {
        return Ok(());
    }
    let text = format!("failed to create directory '{folder}': No such file or directory");
    Err(Failure::generic(text))
}

fn lines(context: &Context<'_>, path: &str) -> Option<Vec<Vec<u8>>> {
    let held = context.machine().files.content(path.as_bytes())?;
    let lines = held.split(|byte| *byte == b'\n');
    Some(
        lines
            .map(<[u8]>::to_vec)
            .filter(|line| !line.is_empty())
            .collect(),
    )
}

fn write(context: &Context<'_>, path: &str, lines: &[Vec<u8>]) -> Outcome {
    // The last line has no end.
    let file = lines.join(&b'\n');
    let written = context.machine().files.replace(path.as_bytes(), file);
    written.map(|()| nothing()).map_err(|why| {
        let text = [b"failed to write '", path.as_bytes(), b"': ", why].concat();
        Failure::generic(text)
    })
}
