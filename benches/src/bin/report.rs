//! Makes a page of what was measured: `report FOLDER` reads the files that `scripts/bench` has filled there, draws the
//! curves to `benches/plots`, and prints the page.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use plotters::prelude::*;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What each row does.
const ROWS: [(&str, &str); 7] = [
    ("ping", "ping"),
    ("info", "guest-info, decoded into types"),
    ("connect", "connect, sync, ping, close"),
    ("read-48k", "read a file, 48 KiB at a time"),
    ("read-1m", "read a file, 1 MiB at a time"),
    ("write-48k", "write a file, 48 KiB at a time"),
    ("write-1m", "write a file, 1 MiB at a time"),
];

const CURVES: [(&str, &str); 4] = [
    ("reply-bytes", "bytes read at a time"),
    ("in-flight", "pings in flight"),
    ("tasks", "tasks that share a client"),
    ("clients", "clients that ping at once"),
];

fn main() -> Outcome<()> {
    let folder = env::args().nth(1).ok_or("usage: report FOLDER")?;
    let read = |name: &str| fs::read_to_string(Path::new(&folder).join(name));
    println!("{}", read("head")?);
    println!("{}", table(&read("rows")?, &read("python")?)?);
    println!(
        "## Instructions and system calls of an exchange\n\n\
         `scripts/test` fails where one of these grows by 20%. Two bare kinds show what the clients cannot go below:\n\
         `bare-timed` has a deadline for each exchange over tokio, as every command has one, and `bare-typed` decodes the\n\
         reply with serde_json into the types that the clients return. Reads and writes are of 48 KiB.\n\n```text\n{}```\n",
        read("counts")?
    );
    println!(
        "## Where the instructions go\n\n\
         By what they are for, with the start of the program in them (`scripts/profile`). A guest-info has 43 commands: 175\n\
         strings whose ends are to be found, and 43 names that are kept, each in memory of its own. Of a ping over tokio,\n\
         `bare-timed` above is the part that is not this client's.\n\n```text\n{}```\n",
        read("profile")?
    );
    let copies = read("copy")?;
    let copies: Vec<&str> = copies
        .lines()
        .filter(|line| line.contains(": the agent is busy"))
        .collect();
    println!(
        "## 64 MiB from and to a real agent\n\n\
         Beside a bare blocking client with two requests queued, which keeps what it reads in memory. An agent does one thing\n\
         at a time, so no copy is faster than one that keeps it busy all the time. An upload waits for each answer before it\n\
         sends more, since an agent behind a port that has read ahead may lose its replies. The files are in memory, where\n\
         this host has a place for them. The median of ten, and the least and the most.\n\n\
         ```text\n{}\n```\n",
        copies.join("\n")
    );
    println!(
        "## 1,000 connections that send 100 pings each\n\n\
         Each kind in a process of one thread: the time as a multiple of bare blocking sockets, the median and half of the\n\
         rounds around it, and the most memory.\n\n```text\n{}```\n",
        read("connections")?
    );
    println!(
        "## A real guest, emulated\n\n\
         8 MiB over its virtio-serial port, beside a bare socket with chunks of several sizes; the last number is the speed\n\
         of the clients as a part of the best bare one.\n\n```text\n{}```\n\n\
         Copies of trees with checksums, and of the same tree to an agent on this host.\n\n```text\n{}```\n",
        read("virtio")?,
        read("trees")?
    );
    println!("## Memory\n\n```text\n{}```\n", read("memory")?);
    println!(
        "## A program that sends a ping\n\n\
         \"bare-tokio\" sends bytes over tokio with a deadline, and \"stream\" has its client made of an open stream. What\n\
         an address as a text makes reachable is the rest: names, ssh, programs, and connecting again.\n\n```text\n{}```\n",
        read("sizes")?
    );
    println!("## As the work grows\n");
    println!(
        "The time of one exchange of the client over tokio on one thread, and of a bare socket, which neither keeps nor\n\
         decodes what it reads. A client does, and a buffer of more than 4 MiB is not kept for the next reply: one of 64 MiB\n\
         is 150 MB of fresh memory each time, so it takes longer for each byte than a shorter one.\n"
    );
    let growth = read("growth")?;
    for (curve, work) in CURVES {
        draw(&growth, curve, work)?;
        println!("![{work}](benches/plots/{curve}.svg)");
    }
    Ok(())
}

/// All contenders of all rows, each with the medians of all runs.
fn table(rows: &str, python: &str) -> Outcome<String> {
    let mut medians: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    let mut bare: BTreeMap<String, f64> = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    for line in rows.lines() {
        let (row, rest) = line.split_at_checked(11).ok_or("a row")?;
        let (name, rest) = rest.split_at_checked(17).ok_or("a name")?;
        let median = rest.split_whitespace().next().ok_or("a median")?;
        let name = name.trim().to_owned();
        if !names.contains(&name) {
            names.push(name.clone());
        }
        if name == "bare blocking" {
            let micros = rest.split_whitespace().rev().nth(1).ok_or("a time")?;
            bare.insert(row.trim().to_owned(), micros.parse()?);
        }
        let key = (row.trim().to_owned(), name);
        medians.entry(key).or_default().push(median.parse()?);
    }
    const PYTHON: &str = "qemu.qmp";
    names.push(PYTHON.to_owned());
    for line in python.lines() {
        let (row, micros) = line.split_once(' ').ok_or("a row and a time")?;
        let bare = bare.get(row).ok_or("a bare time")?;
        let key = (row.to_owned(), PYTHON.to_owned());
        medians
            .entry(key)
            .or_default()
            .push(micros.parse::<f64>()? / bare);
    }
    let mut text = String::new();
    writeln!(text, "| | {} |", names.join(" | "))?;
    writeln!(text, "|---|{}", "---|".repeat(names.len()))?;
    for (row, does) in ROWS {
        write!(text, "| {does} |")?;
        for name in &names {
            let found = medians.get(&(row.to_owned(), name.clone()));
            let of_row = found.map(Vec::as_slice).unwrap_or_default();
            let low = of_row.iter().copied().fold(f64::INFINITY, f64::min);
            let high = of_row.iter().copied().fold(0.0, f64::max);
            match of_row {
                [] => write!(text, " |")?,
                _ if format!("{low:.2}") == format!("{high:.2}") => write!(text, " {low:.2} |")?,
                _ => write!(text, " {low:.2} to {high:.2} |")?,
            }
        }
        writeln!(text)?;
    }
    Ok(text)
}

fn draw(growth: &str, curve: &str, work: &str) -> Outcome<()> {
    let mut points = Vec::new();
    for line in growth.lines() {
        if let [name, work, ours, bare] = *line.split_whitespace().collect::<Vec<_>>()
            && name == curve
        {
            points.push((
                work.parse::<f64>()?,
                ours.parse::<f64>()?,
                bare.parse::<f64>()?,
            ));
        }
    }
    let most_work = points.iter().map(|point| point.0).fold(1.0, f64::max);
    let times = || points.iter().flat_map(|point| [point.1, point.2]);
    let least = times().fold(f64::INFINITY, f64::min) / 1500.0;
    let most = times().fold(0.0, f64::max) / 500.0;
    let path = format!("benches/plots/{curve}.svg");
    let root = SVGBackend::new(&path, (640, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    let x = points.first().map_or(1.0, |point| point.0)..most_work;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(x.log_scale(), (least..most).log_scale())?;
    chart
        .configure_mesh()
        .x_desc(work)
        .y_desc("microseconds for each")
        .draw()?;
    let ours = points.iter().map(|point| (point.0, point.1 / 1000.0));
    let bare = points.iter().map(|point| (point.0, point.2 / 1000.0));
    chart
        .draw_series(LineSeries::new(ours, &BLUE))?
        .label("client")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE));
    chart
        .draw_series(LineSeries::new(bare, &RED))?
        .label("bare socket")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], RED));
    chart.configure_series_labels().border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
