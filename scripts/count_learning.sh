#!/usr/bin/env bash
# With how many of the seeds 0 to 19 each setting of tests/learning/ passes: a line for each agent,
# optimizer and task, with the seeds that fail.
#
#   scripts/count_learning.sh
#   EGN_LEARN_ONLY='ppo with egn' scripts/count_learning.sh
set -euo pipefail
cd "$(dirname "$0")/.."
EGN_LEARN_SEEDS=20 cargo test --release -p egn-rl --test learning -- --nocapture |
  grep --line-buffered -E ' of 20;|test result'
