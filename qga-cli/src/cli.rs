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
#[command(defer = true)]
pub(crate) enum Command {
    /// Run a program in a guest, with its output as it comes.
    ///
    /// It runs as the user of the agent, which is mostly root, without a terminal and without a shell. The exit code is the
    /// program's, 128+n if signal n has ended it, 127 if there is no such program, 126 if it cannot be run, 124 if the time
    /// was over, and 125 if anything was not seen to its end, such as a part of the output. When this program is interrupted,
    /// it kills the guest's program; a second interrupt leaves it running, and says how to attach to it. A process that the
    /// program leaves behind and that still has its output open does not hold the command.
    ///
    /// With `-o json`, the output comes at the end, in one object with the exit code; it may have 64 MiB then.
    Exec(exec::Exec),
    /// Wait for the end of a program that was left running, and print what it wrote.
    ///
    /// Only the agent that has started it knows of it, and it tells its end once. The exit code is the program's, or 128+n if
    /// signal n has ended it.
    Attach(attach::Attach),
    /// Copy files and folders into a guest, out of it, or from one to another.
    ///
    /// A word is a guest's path if it has a name or an address before its last `:/`; what begins with `.` or `/` is a path of
    /// this host, and `-` is standard input or standard output. Everything is copied to a place beside the target first, and
    /// moved there when it is complete. Permissions and times are kept, owners only with -p, and setuid bits never. Links below
    /// a folder are copied as links, and never followed. Pipes, sockets and devices are not copied; how many is said.
    Cp(copy::Cp),
    /// Print files of a guest, byte by byte.
    Cat(cat::Cat),
    /// List a folder of a guest.
    Ls(ls::Ls),
    /// Remove files of a guest.
    Rm(remove::Rm),
    /// Make folders in a guest, with those above them.
    Mkdir(remove::Mkdir),
    /// Show on one screen what a guest is.
    Info(info::Info),
    /// Print the address under which a guest can be reached.
    Ip(ip::Ip),
    /// Show how full a guest's filesystems are.
    Df(look::Df),
    /// Show a guest's network interfaces.
    Net(look::Net),
    /// Show a guest's disks.
    Disks(look::Disks),
    /// Show who is logged in.
    Users(look::Users),
    /// Show a guest's clock, and how far it is from this host's.
    Time(look::Time),
    /// Ask whether the agent answers.
    Ping(look::Ping),
    /// Show which commands the agent has.
    Commands(look::Commands),
    /// Find out why a guest cannot be reached, or why its agent refuses something, and say what to do.
    ///
    /// Looks in this order at the address, the file, who holds the channel, what libvirt and QEMU's monitor say, the connection, the agent's
    /// answer, its version, its disabled commands, frozen filesystems and the clock. Nothing is changed.
    Doctor(doctor::Doctor),
    /// Wait until a guest is ready. Its socket, its domain and the guest itself need not be there yet.
    ///
    /// With QEMU's monitor (--monitor), which has to be there, the agent is sent nothing before the guest has opened its port, and
    /// the wait ends at once where the machine is off, paused, suspended or stands still, or its guest has panicked. Give the
    /// port an id for that (`-device virtserialport,id=agent,chardev=...`): without one QEMU does not tell when the port opens,
    /// and is asked five times a second.
    Wait(wait::Wait),
    /// Show what this program does, with a guest that is not there.
    Demo(demo::Demo),
    /// Run a program on this host while a guest's filesystems are frozen, as for a snapshot.
    ///
    /// They are thawed when the program has ended, when the time is over (the program is ended first, and the exit code is
    /// 124), on an interrupt, and on any error. Nothing helps against SIGKILL: `qga thaw` does then. The exit code is the
    /// program's.
    Freeze(freeze::Freeze),
    /// Thaw a guest's filesystems, whoever has frozen them.
    Thaw(freeze::Thaw),
    /// Take a snapshot of a machine's disks while its guest is frozen, and say for how long it was.
    ///
    /// The machine goes on with a new file for each disk, and the old file is at rest. If one disk fails, none is changed. The
    /// guest is thawed whatever happens. This needs QEMU's monitor (--monitor).
    ///
    /// Libvirt keeps the monitors of its guests to itself, and takes such snapshots on its own:
    /// `virsh snapshot-create-as DOMAIN --disk-only --atomic --quiesce`.
    Snapshot(snapshot::Snapshot),
    /// Print what happens to a guest's machine, as it happens, until the machine ends.
    ///
    /// QEMU's monitor tells it (--monitor), or libvirt. Each event has its time, its name, and what it says; with `-o json` each is
    /// an object in a line of its own. What was missed is said in its place. The guest's agent is sent nothing.
    Events(events::Events),
    /// Give a guest's free blocks back to the host.
    Fstrim(fstrim::Fstrim),
    /// Shut a guest down, and wait until it is off.
    ///
    /// It says whether that is proven, and by which event of QEMU (with --monitor) or that libvirt says so, or only assumed from
    /// the agent's channel.
    Shutdown(power::Shutdown),
    /// Start a guest again, and wait until its agent is back.
    ///
    /// It says whether that is proven, and by which event of QEMU (with --monitor) or that libvirt says so, or only assumed from
    /// the agent's channel.
    Reboot(power::Reboot),
    /// Put a guest to sleep, and wait until it sleeps.
    ///
    /// QEMU's monitor (--monitor) and libvirt tell when it does, which is said. Over other channels an agent that falls silent is
    /// all that can be seen, which is no success.
    Suspend(power::Suspend),
    /// Set the password of a user of a guest.
    ///
    /// It is asked for on a terminal, and is otherwise the first line of standard input. It is never an argument, since those
    /// can be seen by others.
    Passwd(accounts::Passwd),
    /// Say who may log in over SSH.
    SshKey(accounts::SshKey),
    /// Show or set which processors a guest uses.
    Cpu(hotplug::Cpu),
    /// Show which blocks of memory a guest uses, and let it use all.
    Mem(hotplug::Mem),
    /// Send any command to the agent, and print what it returns.
    Raw(raw::Raw),
    /// List the guests of the configuration, libvirt's domains, and the agents' channels that are found on this host.
    ///
    /// Nothing is sent to any of them. What is said of a guest is what libvirt says of its domain, and which program of this
    /// host holds the channel.
    List(list::List),
    /// Run a subcommand with each of several guests at once.
    ///
    /// Each line of its output begins with the guest's name. The exit code is 0 if all have succeeded, and 1 otherwise; a
    /// summary says how many have. With `cp`, what begins with a colon is a path of each guest, and `{}` is its name. An
    /// interrupt is passed on to all that run.
    Each(each::Each),
    /// Carry bytes between standard input and output and the channel of an agent.
    ///
    /// This is for the other side of an ssh connection: `ssh://` addresses use it where it is installed on the host. It ends
    /// when the channel has ended, and half a second after standard input has ended. The channels are those of unix:, tcp:,
    /// serial:, vsock:, vsock-proxy: and ssh:// addresses.
    DialStdio(dial::DialStdio),
    /// Print what a shell needs to complete this program's words: subcommands, options, names of guests, and paths in them.
    ///
    /// The shell runs this program to get them. For the path of a file in a guest, the guest is asked, for a second at most.
    Completions(complete::Completions),
    /// Print the manual page, or that of a subcommand.
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
