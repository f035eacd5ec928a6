//! The judges judged: each invariant is shown to hold and to fail on histories made by hand, correct histories always pass, and one lie in
//! them is caught by the invariant that is there for it.

mod agreement;
mod by_hand;
mod by_hand_nodes;
mod correct;
mod lies;
mod mutations;
mod single_copy;
mod tale;
