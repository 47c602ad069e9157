"""Steps Gymnasium environments for a parent process: `child.py ID N KWARGS`.

Frames of fixed size pass over the socket that is standard input, many environments a round trip;
`protocol.rs` is the other side and states the layout. Anything that is printed goes to standard
error, so that a chatty environment cannot break a frame.
"""

import gc
import json
import os
import signal
import socket
import struct
import sys
import traceback

# Ctrl-C is for the parent to answer; when it goes, the socket closes and this process ends.
signal.signal(signal.SIGINT, signal.SIG_IGN)
pipe = socket.socket(fileno=os.dup(0))
sys.stdin = open(os.devnull)
os.dup2(2, 1)


def refuse(kind, message):
    """Ends the process with an error frame: b'E', kind, environment, text."""
    kind, index = kind if isinstance(kind, tuple) else (kind, 0)
    text = message.encode()[-4000:]
    pipe.sendall(b"E" + struct.pack("<BII", kind, index, len(text)) + text)
    sys.exit(1)


NO_GYMNASIUM, NOT_MADE, NOT_SUPPORTED, RAISED = range(4)

try:
    import gymnasium
    import numpy as np
    from gymnasium import spaces
except ImportError as error:
    refuse(NO_GYMNASIUM, str(error))


def make(env_id, kwargs):
    try:
        return gymnasium.make(env_id, **kwargs)
    except Exception as error:
        refuse(NOT_MADE, f"{type(error).__name__}: {error}")


def flat_observations(space):
    """The flattened Box of an observation space."""
    try:
        flat = spaces.flatten_space(space)
    except NotImplementedError:
        flat = None
    if not isinstance(flat, spaces.Box):
        refuse(NOT_SUPPORTED, f"observations of {space} cannot be flattened")
    return flat


def action_frame(space):
    """(kind, length or number, low, high, function from f32 rows to a list of actions)."""
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return 0, int(space.n), [], [], lambda rows: (rows[:, 0].astype(int) + start).tolist()
    if isinstance(space, spaces.Box) and space.dtype.kind == "f":
        shape, dtype = space.shape, space.dtype
        low, high = space.low.ravel(), space.high.ravel()
        return 1, low.size, low, high, lambda rows: list(rows.astype(dtype, copy=True).reshape(-1, *shape))
    refuse(NOT_SUPPORTED, f"actions of {space}; only Discrete and Box of floats are supported")


def at_once(view):
    """Bytes received within some microseconds, in which a process that slept would not be awake yet."""
    for _ in range(40):
        try:
            return pipe.recv_into(view, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
    return None


def receive(view):
    while len(view):
        n = at_once(view)
        n = pipe.recv_into(view) if n is None else n
        if n == 0:
            sys.exit(0)
        view = view[n:]


def main(env_id, n_envs, kwargs):
    envs = [make(env_id, kwargs) for _ in range(n_envs)]
    space = envs[0].observation_space
    flat = flat_observations(space)
    kind, count, low, high, to_actions = action_frame(envs[0].action_space)
    spec = envs[0].spec
    limit = spec.max_episode_steps if spec and spec.max_episode_steps else 0
    threshold = spec.reward_threshold if spec and spec.reward_threshold is not None else float("nan")
    version = gymnasium.__version__.encode()
    bounds = [np.asarray(b, "<f4").tobytes() for b in (flat.low, flat.high, low, high)]
    pipe.sendall(
        b"H" + struct.pack("<IBIQdI", flat.shape[0], kind, count, limit, threshold, len(version))
        + version + b"".join(bounds)
    )

    is_flat = isinstance(space, spaces.Box) and len(space.shape) == 1
    n_entries = count if kind else 1
    requests = np.zeros(n_envs, [("command", "u1"), ("seed", "<u4"), ("action", "<f4", (n_entries,))])
    layout = np.dtype([("flags", "u1"), ("reward", "<f8"), ("observation", "<f4", flat.shape)])
    # Tag and replies in one piece: the parent wakes once.
    frame = bytearray(b"R" + bytes(n_envs * layout.itemsize))
    replies = np.frombuffer(frame, layout, offset=1)
    incoming = memoryview(requests).cast("B")
    commands, seeds, actions = requests["command"], requests["seed"], requests["action"]
    flags, rewards, observations = replies["flags"], replies["reward"], replies["observation"]
    seen = list(observations)
    steps = [env.step for env in envs]
    # What is here now stays: nothing of it need be looked at again.
    gc.freeze()
    while True:
        receive(incoming)
        chosen = to_actions(actions)
        new_rewards, new_flags = rewards.tolist(), flags.tolist()
        for i, command in enumerate(commands.tolist()):
            if command == 0:
                continue
            try:
                if command == 1:
                    observation, _ = envs[i].reset(seed=int(seeds[i]))
                    new_rewards[i], new_flags[i] = 0.0, 0
                else:
                    observation, new_rewards[i], terminated, truncated, _ = steps[i](chosen[i])
                    new_flags[i] = (1 if terminated else 0) + (2 if truncated else 0)
                seen[i][:] = observation if is_flat else spaces.flatten(space, observation)
            except Exception:
                refuse((RAISED, i), traceback.format_exc())
        rewards[:], flags[:] = new_rewards, new_flags
        pipe.sendall(frame)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
