"""One EGN step of python-somax (the authors' library) against one of ours, in one run.

    cargo build --release
    pip install python-somax==1.0.1 "jax[cpu]"
    python solver/scripts/somax_step.py [path of egn]

Run with Python 3.11, python-somax 1.0.1, jax 0.10.2 (CPU). Network 8-256-256-4, batch 256, f32,
squared error on the chosen action: `egn_mse` with a predict function that picks the action, since the
library's preset takes one output a sample. (`egn_ce` 1.0.1 solves with a transposed factor, so it is
no opponent.) A step is jitted, warmed up and timed until its parameters are ready; the median of the
timings, under one thread and under jax's default. Ours is the median that `egn bench-step` prints, one
thread, before and after.
"""

import json
import os
import subprocess
import sys

WIDTHS, BATCH = [8, 256, 256, 4], 256

CHILD = """
import json, time
import jax, jax.numpy as jnp, numpy as np, somax

widths, batch = {widths}, {batch}
rng = np.random.default_rng(0)
params = [
    (jnp.asarray(rng.uniform(-1, 1, (n, m)) / n**0.5, jnp.float32), jnp.zeros(m, jnp.float32))
    for n, m in zip(widths, widths[1:])
]

def predict(params, x):
    observations, actions = x[..., :-1], x[..., -1].astype(jnp.int32)
    h = observations
    for weight, bias in params[:-1]:
        h = jax.nn.relu(h @ weight + bias)
    weight, bias = params[-1]
    return jnp.take_along_axis(h @ weight + bias, actions[..., None], axis=-1)[..., 0]

x = np.concatenate([rng.uniform(-1, 1, (batch, widths[0])), rng.integers(widths[-1], size=(batch, 1))], 1)
data = {{"x": jnp.asarray(x, jnp.float32), "y": jnp.asarray(rng.uniform(-1, 1, batch), jnp.float32)}}
method = somax.make("egn_mse", predict_fn=predict)
state, key = method.init(params), jax.random.PRNGKey(0)
step = jax.jit(method.step)
seconds = []
for i in range({count}):
    start = time.perf_counter()
    params, state, _ = step(params, data, state, key)
    jax.block_until_ready(params)
    seconds.append(time.perf_counter() - start)
print(json.dumps(float(np.median(seconds[3:]))))
"""


def theirs(one_thread: bool) -> float:
    """Seconds of a step."""
    env = dict(os.environ, JAX_PLATFORMS="cpu")
    command = [sys.executable, "-c", CHILD.format(widths=WIDTHS, batch=BATCH, count=12)]
    if one_thread:
        env["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        command = ["taskset", "-c", "0", *command]
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


def ours(egn: str) -> str:
    """What bench-step prints."""
    network = "-".join(map(str, WIDTHS))
    command = [egn, "bench-step", network, str(BATCH), "mse_selected", "egn"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    egn = sys.argv[1] if len(sys.argv) > 1 else "target/release/egn"
    before = float(ours(egn))
    single, default = theirs(True), theirs(False)
    after = float(ours(egn))
    # The slower of our two, so that a busy machine does not flatter us.
    seconds = max(before, after)
    print(f"egn            {before * 1e6:9.0f} us before, {after * 1e6:.0f} us after")
    print(f"somax, 1 thread {single * 1e6:8.0f} us, {single / seconds:.0f} times as long")
    print(f"somax, default  {default * 1e6:8.0f} us, {default / seconds:.0f} times as long ({os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
