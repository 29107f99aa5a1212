//! Contenders that take turns, so that whatever else the machine does meets all of them alike.

use std::time::{Duration, Instant};

/// One way to do the same work.
pub struct Contender<'a> {
    name: &'static str,
    work: Box<dyn FnMut(u32) + 'a>,
}

impl<'a> Contender<'a> {
    /// `work` does so many exchanges, one after the other.
    pub fn new(name: &'static str, work: impl FnMut(u32) + 'a) -> Self {
        let work = Box::new(work);
        Self { name, work }
    }
}

/// What one contender needed in comparison to the first.
#[derive(Clone, Debug)]
pub struct Ratio {
    /// Its name.
    pub name: &'static str,
    /// The first quartile, the median and the third quartile over all rounds.
    pub quartiles: [f64; 3],
    /// The time of an exchange, the median over all rounds.
    pub time: Duration,
}

/// Lets all contenders do `exchanges` in each of so many rounds. The order changes from round to round.
pub fn compare(contenders: &mut [Contender<'_>], rounds: usize, exchanges: u32) -> Vec<Ratio> {
    for contender in contenders.iter_mut() {
        (contender.work)(exchanges.div_ceil(4));
    }
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let index = (turn + round) % contenders.len();
            let start = Instant::now();
            (contenders[index].work)(exchanges);
            times[index].push(start.elapsed() / exchanges);
        }
    }
    let first = times[0].clone();
    let ratios = contenders.iter().zip(times);
    ratios
        .map(|(contender, times)| {
            let pairs = times.iter().zip(&first);
            let ratios = pairs.map(|(time, first)| time.as_secs_f64() / first.as_secs_f64());
            Ratio {
                name: contender.name,
                quartiles: quartiles(ratios.collect()),
                time: Duration::from_secs_f64(
                    quartiles(times.iter().map(Duration::as_secs_f64).collect())[1],
                ),
            }
        })
        .collect()
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        let place = values.len() * quarter / 4;
        values[place.min(values.len() - 1)]
    })
}
