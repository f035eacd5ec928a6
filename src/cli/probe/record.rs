//! What a pass found: its steps, how long each took, and what was wrong.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::paint::{Paint, Tone, cell};

/// One step of a pass.
#[derive(Debug, Default)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// How long each part of it took, such as the answer of each node.
    pub times: Vec<Duration>,
    /// What was wrong; nothing where it held.
    pub faults: Vec<String>,
}

impl Step {
    /// A step that has yet to be made.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// Whether it held.
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }

    /// Notes how long a part took.
    pub fn took(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// Notes that something was wrong.
    pub fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    /// The shortest, the middle and the longest time; none where nothing was timed.
    pub fn spread(&self) -> Option<[Duration; 3]> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let middle = times.get(times.len() / 2)?;
        Some([*times.first()?, *middle, *times.last()?])
    }
}

/// One pass.
#[derive(Debug)]
pub struct Pass {
    /// The nodes that were asked.
    pub nodes: usize,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// How many events it made.
    pub events: u64,
    /// How long all of it took.
    pub took: Duration,
    /// Whether there was nobody to ask.
    pub unanswered: bool,
}

impl Pass {
    /// Whether all of it held.
    pub fn holds(&self) -> bool {
        self.steps.iter().all(Step::holds)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        json!({
            "ok": self.holds(),
            "nodes": self.nodes,
            "events": self.events,
            "took_ms": ms(self.took),
            "steps": self.steps.iter().map(|step| {
                let spread = step.spread().map(|spread| spread.map(ms));
                json!({
                    "step": step.name,
                    "ok": step.holds(),
                    "times": step.times.len(),
                    "min_ms": spread.map(|it| it[0]),
                    "median_ms": spread.map(|it| it[1]),
                    "max_ms": spread.map(|it| it[2]),
                    "faults": step.faults,
                })
            }).collect::<Vec<Value>>(),
        })
    }

    /// For people.
    pub fn text(&self, paint: Paint) -> String {
        let mut table = paint.table(["STEP", "RESULT", "MIN", "MEDIAN", "MAX", "TIMES"]);
        for step in &self.steps {
            let (tone, result) = if step.holds() {
                (Tone::Good, "held")
            } else {
                (Tone::Bad, "FAILED")
            };
            let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
            let [min, median, max] = step.spread().map_or_else(Default::default, |it| it.map(ms));
            table.add_row([
                cell(Tone::Bold, step.name),
                cell(tone, result),
                cell(Tone::Plain, min),
                cell(Tone::Plain, median),
                cell(Tone::Plain, max),
                cell(Tone::Plain, step.times.len()),
            ]);
        }
        let mut parts = vec![table.trim_fmt()];
        for step in &self.steps {
            let mark = paint.text(Tone::Bad, step.name);
            parts.extend(step.faults.iter().map(|fault| format!("{mark}: {fault}")));
        }
        let all = if self.holds() {
            paint.text(Tone::Good, "every promise held")
        } else {
            paint.text(Tone::Bad, "NOT every promise held")
        };
        let (nodes, events) = (self.nodes, self.events);
        let ms = self.took.as_millis();
        parts.push(format!(
            "{all}, on {nodes} nodes, with {events} events, in {ms} ms"
        ));
        parts.join("\n\n")
    }
}
