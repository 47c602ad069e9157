#!/usr/bin/env bash
# The same short runs by several binaries or processors, and whether their records are the same.
#
#   scripts/same_record.sh NAME=COMMAND...
#
# COMMAND runs `egn`, each with its own processor or vectors, as in
#
#   scripts/same_record.sh here=target/release/egn \
#     "avx2=env EGN_VECTORS=avx2 target/release/egn" \
#     "haswell=qemu-x86_64 -cpu Haswell target/release/egn" \
#     "arm=qemu-aarch64 -L /usr/aarch64-linux-gnu target/aarch64-unknown-linux-gnu/release/egn"
#
# Prints the digest of each run's curve, updates and policy (clocks left out) by each command, and
# fails when two differ. Debian's qemu-user has the emulators; an aarch64 binary comes from
#
#   rustup target add aarch64-unknown-linux-gnu; apt-get install gcc-aarch64-linux-gnu
#   CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
#     cargo build --release --target aarch64-unknown-linux-gnu
set -euo pipefail

runs=(
  "CartPole-v1 dqn 1500" "CartPole-v1 c51 1500" "CartPole-v1 qrdqn 1500" "CartPole-v1 ppo 2048" "CartPole-v1 a2c 2000"
  "CartPole-v1 reinforce 4096" "Acrobot-v1 trpo 4096" "MountainCar-v0 dqn 1500"
  "Pendulum-v1 ppo 8192" "Pendulum-v1 sac 300" "Pendulum-v1 td3 300" "MountainCarContinuous-v0 td3 300"
  "LQR/ac1 lqr-pi 2000"
)
settings=(--set run.eval_episodes=1 --set run.final_episodes=1 --progress none)

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

digest() {
  # Columns and keys that tell the time are no part of a record's meaning.
  cut -d, -f1,4- "$1/curve.csv" > "$folder/curve"
  sed -E 's/"(cpu|wall)_seconds":[^,}]*//g' "$1/updates.jsonl" > "$folder/updates"
  cat "$folder/curve" "$folder/updates" "$1/policy.safetensors" | sha256sum | cut -c1-16
}

status=0
for run in "${runs[@]}"; do
  read -r env agent steps <<< "$run"
  for optimizer in egn adam; do
    first=""
    printf '%-45s' "$env $agent $optimizer, $steps steps"
    for named in "$@"; do
      name="${named%%=*}"
      extra=()
      case "$agent" in sac | td3 | dqn | c51 | qrdqn) extra=(--set agent.learning_starts=100) ;; esac
      # shellcheck disable=SC2086
      ${named#*=} train --env "$env" --agent "$agent" --optimizer "$optimizer" --steps "$steps" \
        --records "$folder/$name/$env-$agent" "${settings[@]}" "${extra[@]}" > /dev/null 2> "$folder/said" || {
        cat "$folder/said"
        exit 1
      }
      record="$(dirname "$(find "$folder/$name/$env-$agent" -path "*/$optimizer/seed-0/curve.csv")")"
      sum="$(digest "$record")"
      printf ' %s %s' "$name" "$sum"
      if [ "${first:=$sum}" != "$sum" ]; then
        printf ' DIFFERS'
        status=1
      fi
    done
    printf '\n'
  done
done
exit "$status"
