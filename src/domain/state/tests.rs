//! Tests of apply and of what can be asked of a state.
