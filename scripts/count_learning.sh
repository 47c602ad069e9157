#!/usr/bin/env bash
# With how many of the seeds 0 to 19 each setting of tests/learning/ passes: a line for each agent,
# optimizer and task, with the seeds that fail.
#
#   scripts/count_learning.sh [PART OF A TEST'S NAME]
set -euo pipefail
cd "$(dirname "$0")/.."
EGN_LEARN_SEEDS=20 cargo test --release -p egn-rl --test learning --no-fail-fast -- --nocapture "${@}" |
  grep -E ' of 20|fewer than|test result'
