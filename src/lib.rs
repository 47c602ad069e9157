//! egn-rl
