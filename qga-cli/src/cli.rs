//! The command line.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands::{
    Context, accounts, attach, cat, complete, copy, demo, dial, doctor, each, events, exec, freeze,
    fstrim, hotplug, info, ip, list, look, ls, power, raw, remove, snapshot, wait,
};
use crate::options::Common;

const EXAMPLES: &str = "\
Examples:
  qga exec fake -- uname -a
  qga ip libvirt:vm1
  qga cp ./site web1:/srv/site

An ADDR is a name of ~/.config/qga/config.toml, a path of a socket (it begins with . or /), or an address such as
libvirt:vm1, unix:/run/vm1.sock, tcp:host:port, ssh://host/run/vm1.sock or fake (a guest that is not there).

Exit codes: 0 only if all was seen to succeed; exec: those of the guest's program, 128+n for a signal;
124 the time was over; 125 anything else that went wrong; 126 it cannot be run; 127 there is no such program.";

/// QEMU guests from a shell: run programs, copy files, look, wait, and shut down, through the guest agent.
#[derive(Debug, Parser)]
#[command(name = "qga", version, after_help = EXAMPLES, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Exec(exec::Exec),
    Attach(attach::Attach),
    Cp(copy::Cp),
    Cat(cat::Cat),
    Ls(ls::Ls),
    Rm(remove::Rm),
    Mkdir(remove::Mkdir),
    Info(info::Info),
    Ip(ip::Ip),
    Df(look::Df),
    Net(look::Net),
    Disks(look::Disks),
    Users(look::Users),
    Time(look::Time),
    Ping(look::Ping),
    Commands(look::Commands),
    Doctor(doctor::Doctor),
    Wait(wait::Wait),
    Demo(demo::Demo),
    Freeze(freeze::Freeze),
    Thaw(freeze::Thaw),
    Snapshot(snapshot::Snapshot),
    Events(events::Events),
    Fstrim(fstrim::Fstrim),
    Shutdown(power::Shutdown),
    Reboot(power::Reboot),
    Suspend(power::Suspend),
    Passwd(accounts::Passwd),
    SshKey(accounts::SshKey),
    Cpu(hotplug::Cpu),
    Mem(hotplug::Mem),
    Raw(raw::Raw),
    List(list::List),
    Each(each::Each),
    DialStdio(dial::DialStdio),
    Completions(complete::Completions),
    Man(complete::Man),
}

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let context = &Context::new(&self.common)?;
        let done = match self.command {
            Command::Exec(exec) => return exec.run(context).await,
            Command::Attach(attach) => return attach.run(context).await,
            Command::Each(each) => return each.run(context).await,
            Command::Freeze(freeze) => return freeze.run(context).await,
            Command::Cp(cp) => Box::pin(cp.run(context)).await,
            Command::Cat(cat) => cat.run(context).await,
            Command::Ls(ls) => ls.run(context).await,
            Command::Rm(rm) => rm.run(context).await,
            Command::Mkdir(mkdir) => mkdir.run(context).await,
            Command::Info(info) => info.run(context).await,
            Command::Ip(ip) => ip.run(context).await,
            Command::Df(df) => df.run(context).await,
            Command::Net(net) => net.run(context).await,
            Command::Disks(disks) => disks.run(context).await,
            Command::Users(users) => users.run(context).await,
            Command::Time(time) => time.run(context).await,
            Command::Ping(ping) => ping.run(context).await,
            Command::Commands(commands) => commands.run(context).await,
            Command::Doctor(doctor) => doctor.run(context).await,
            Command::Wait(wait) => wait.run(context).await,
            Command::Demo(demo) => demo.run(context, Self::run_line).await,
            Command::Snapshot(snapshot) => snapshot.run(context).await,
            Command::Events(events) => events.run(context).await,
            Command::Thaw(thaw) => thaw.run(context).await,
            Command::Fstrim(fstrim) => fstrim.run(context).await,
            Command::Shutdown(shutdown) => shutdown.run(context).await,
            Command::Reboot(reboot) => reboot.run(context).await,
            Command::Suspend(suspend) => suspend.run(context).await,
            Command::Passwd(passwd) => passwd.run(context).await,
            Command::SshKey(key) => key.run(context).await,
            Command::Cpu(cpu) => cpu.run(context).await,
            Command::Mem(mem) => mem.run(context).await,
            Command::Raw(raw) => raw.run(context).await,
            Command::DialStdio(dial) => dial.run(context).await,
            Command::List(list) => list.run(context).await,
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(Self::command()),
        };
        done.map(|()| ExitCode::SUCCESS)
    }

    /// Runs what stands in a line behind the name of this program.
    async fn run_line(line: &str) -> anyhow::Result<ExitCode> {
        let words = ["qga"].into_iter().chain(line.split(' '));
        Box::pin(Self::try_parse_from(words)?.run()).await
    }
}
