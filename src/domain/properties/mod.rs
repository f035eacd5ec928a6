//! Properties of the domain, held for random scripts of commands.

mod against_model;
mod encodings;
mod model;
mod never_lost;
mod one_alone;
mod player;
mod rule_values;
mod same_everywhere;
mod script;
mod values;
