use crate::{Fault, TestAgent};

/// A fault and the replies that it is for, as they are written in an option or an order.
#[derive(Clone, Debug)]
pub(super) struct FaultSpec {
    fault: Fault,
    when: When,
}

#[derive(Clone, Debug)]
enum When {
    Next(usize),
    Always,
    Number(usize),
    Chance(f64, Option<u64>),
    Command(String),
}

impl FaultSpec {
    /// `FAULT[+FAULT...][@WHEN]`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (fault, when) = match text.rsplit_once('@') {
            Some((fault, when)) => (fault, when_named(when)?),
            None => (text, When::Next(1)),
        };
        let fault = fault.parse::<Fault>().map_err(|error| error.to_string())?;
        Ok(Self { fault, when })
    }

    /// Gives the fault to an agent.
    pub(super) fn apply(&self, agent: &TestAgent) {
        let fault = self.fault.clone();
        agent.fault(match &self.when {
            When::Command(name) => return agent.on(name).fault(fault),
            When::Next(times) => fault.times(*times),
            When::Always => fault.always(),
            When::Number(number) => fault.on_reply(*number),
            When::Chance(chance, None) => fault.by_chance(*chance),
            When::Chance(chance, Some(seed)) => fault.by_chance_with_seed(*chance, *seed),
        });
    }
}

fn when_named(text: &str) -> Result<When, String> {
    let wrong = || {
        format!(
            "`{text}` does not say which replies the fault is for: it must be a number, xNUMBER, 10%, \
             10%/SEED, a command's name or always"
        )
    };
    if text == "always" {
        return Ok(When::Always);
    }
    if let Some((percent, seed)) = text.split_once('%') {
        let percent: f64 = percent.parse().map_err(|_| wrong())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(wrong());
        }
        let seed = match seed.strip_prefix('/') {
            Some(seed) => Some(seed.parse().map_err(|_| wrong())?),
            None if seed.is_empty() => None,
            None => return Err(wrong()),
        };
        return Ok(When::Chance(percent / 100.0, seed));
    }
    if let Some(times) = text.strip_prefix('x').and_then(|times| times.parse().ok()) {
        return Ok(When::Next(times));
    }
    match text.parse() {
        Ok(0) => Err(wrong()),
        Ok(number) => Ok(When::Number(number)),
        Err(_) if text.contains('-') => Ok(When::Command(text.to_owned())),
        Err(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::FaultSpec;

    #[test]
    fn a_fault_says_what_goes_wrong_and_when() {
        let good = [
            "twice",
            "twice@3",
            "torn=5+delay=1s@x2",
            "no-answer@10%",
            "no-answer@2.5%/7",
            "close-before@guest-ping",
            "hang@always",
        ];
        for text in good {
            assert!(FaultSpec::parse(text).is_ok(), "{text}");
        }
        for text in [
            "twice@",
            "twice@0",
            "twice@sometimes",
            "twice@x%",
            "twice@101%",
            "twice@-1%",
            "twice@nan%",
            "@3",
        ] {
            assert!(FaultSpec::parse(text).is_err(), "{text}");
        }
    }
}
