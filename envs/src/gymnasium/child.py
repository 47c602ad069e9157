"""Steps Gymnasium environments for a parent process: `child.py ID N KWARGS PATIENCE`.

Frames of fixed size pass over the socket that is standard input at the start, many environments a
round trip; `protocol.rs` is the other side and states the layout. Anything that is printed goes to
standard error, so that a chatty environment cannot break a frame. When the parent closes its
direction of the socket, or is gone, environments are closed and this process ends.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback

# The frames are ours alone: what the environment starts finds an empty standard input, and no
# descriptor of the socket, whether it is executed (`dup` is not inherited) or forked (see below).
pipe = socket.socket(fileno=os.dup(0))
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
os.close(nothing)
os.dup2(2, 1)

SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
NO_GYMNASIUM, NOT_MADE, NOT_SUPPORTED, RAISED, STUCK = range(5)

envs = []
is_ending = False


class Ending(BaseException):
    """Nobody waits for what is under way; `Exception` would be caught by environments."""


class Mismatch(Exception):
    """What came is not what was announced; the text says all there is to say."""


def parent_is_done():
    try:
        return not pipe.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def on_signal(*_):
    """Ctrl-C, `timeout` and Slurm mean the parent, which stops the run; from it, a signal means us."""
    if not is_ending and parent_is_done():
        raise Ending


def in_fork():
    """A forked helper is no part of us: it must neither hold the socket nor ignore signals."""
    pipe.close()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def watch_parent(patience):
    """Ends a process that is busy when its parent is killed, once it has had time to close."""
    hang_up = select.poll()
    hang_up.register(pipe, 0)
    while not hang_up.poll():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    end_group()


def end_group():
    """Ends this process and what it started, where they are a group of their own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def close_all():
    """Closes the environments, runs what is registered for the end, and ends this process."""
    global is_ending
    is_ending = True
    for end in [env.close for env in envs] + [atexit._run_exitfuncs]:
        try:
            end()
        except BaseException:
            traceback.print_exc()
    for stream in sys.stdout, sys.stderr:
        try:
            stream.flush()
        except Exception:
            pass
    # A thread that environments left behind is not waited for.
    if orphaned():
        end_group()
    os._exit(0)


def orphaned():
    hang_up = select.poll()
    hang_up.register(pipe, 0)
    return bool(hang_up.poll(0))


def refuse(kind, message, index=0):
    """Sends an error frame: b'E', kind, environment, text; and ends."""
    text = message.encode(errors="replace")[:4000]
    try:
        pipe.sendall(b"E" + struct.pack("<BII", kind, index, len(text)) + text)
    except OSError:
        pass
    raise Ending


def is_gymnasium(frame):
    """Whether a line of a traceback is ours, Python's own, or Gymnasium's."""
    return frame.filename.startswith(("<", os.path.dirname(gymnasium.__file__) + os.sep))


def is_foreign(frame):
    """The same, an environment of Gymnasium's being as good as a user's."""
    envs = os.path.join(os.path.dirname(gymnasium.__file__), "envs", "")
    is_env = frame.filename.startswith(envs) and not frame.filename.endswith("registration.py")
    return is_gymnasium(frame) and not is_env


def explained(error, is_foreign=is_foreign):
    """An exception as text: what it says, the user's lines, and behind them ours and Gymnasium's."""
    text, known, joint = "", [], ""
    while error is not None and error not in known:
        known.append(error)
        frames = traceback.extract_tb(error.__traceback__)
        own, foreign = [f for f in frames if not is_foreign(f)], [f for f in frames if is_foreign(f)]
        if not isinstance(error, Ending):
            text += joint + "".join(traceback.format_exception_only(type(error), error)).rstrip() + "\n"
        text += "".join(traceback.StackSummary.from_list(own).format())
        if foreign and own:
            text += "called by\n" + "".join(traceback.StackSummary.from_list(foreign).format())
        joint = "which was caused by " if error.__cause__ else "while another was handled: "
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text.rstrip()


def blamed(error, doing):
    """The same, where a line of Gymnasium or ours fell over an answer of the wrong length."""
    frames = traceback.extract_tb(error.__traceback__)
    words = str(error)
    if isinstance(error, (TypeError, ValueError)) and frames and is_foreign(frames[-1]) and "unpack" in words:
        number = words.partition("got ")[2].rstrip(")")
        came = f"a tuple of {number}" if number else "too many values" if "too many" in words else words
        return f"its {doing} returns {came}, where {DUE[doing]} is due"
    return explained(error)


DUE = {
    "reset": "a tuple of 2 (observation, info)",
    "step": "a tuple of 5 (observation, reward, terminated, truncated, info)",
}


def short(text, most=200):
    return text if len(text) <= most else text[:most] + "..."


def seen(value):
    """What came, in words."""
    if isinstance(value, np.ndarray):
        values = short(" ".join(np.array2string(value, threshold=8).split()), 80)
        return f"an array of shape {value.shape} and type {value.dtype}, {values}"
    if value is None:
        return "None"
    try:
        text = short(repr(value), 80)
    except Exception as error:
        text = f"without a repr: {error}"
    length = f" of {len(value)}" if isinstance(value, (tuple, list, dict)) else ""
    return f"{text}, a {type(value).__name__}{length}"


def unpacked(answer, doing):
    """Refuses what is not a tuple of the right length."""
    length = len(answer) if isinstance(answer, (tuple, list)) else None
    came = seen(answer) if length is None else f"a tuple of {length}"
    raise Mismatch(f"its {doing} returns {came}, where {DUE[doing]} is due")


def number(reward):
    """The reward as a float: numbers and flags are, and arrays of one of them."""
    try:
        array = np.asarray(float(reward) if isinstance(reward, int) else reward)
    except Exception:
        array = np.asarray(None)
    if array.size == 1 and array.dtype.kind in "biuf":
        return float(array.item())
    raise Mismatch(f"its reward is {seen(reward)}, where a number is due")


def flag(value, name):
    """A flag as a bool: so are 0 and 1, and arrays of one of them."""
    try:
        array = np.asarray(value)
    except Exception:
        array = np.asarray(None)
    if array.size == 1 and array.dtype.kind in "biuf" and array.item() in (0, 1):
        return bool(array.item())
    raise Mismatch(f"its flag {name} is {seen(value)}, where True or False is due")


def flattener(space, place=""):
    """A function from an observation of the space to flat numbers, which refuses any other."""

    def wrong(value):
        raise Mismatch(f"its observation{place} is {seen(value)}, where one of {short(str(space))} was announced")

    if isinstance(space, spaces.Tuple):
        parts = [flattener(part, f"{place}[{i}]") for i, part in enumerate(space.spaces)]

        def flat(value):
            if not isinstance(value, (tuple, list)) or len(value) != len(parts):
                wrong(value)
            return np.concatenate([part(entry) for part, entry in zip(parts, value)])
    elif isinstance(space, spaces.Dict):
        named = {key: flattener(part, f"{place}[{key!r}]") for key, part in space.spaces.items()}

        def flat(value):
            if not hasattr(value, "keys") or set(value.keys()) != named.keys():
                wrong(value)
            return np.concatenate([part(value[key]) for key, part in named.items()])
    elif isinstance(space, spaces.Discrete):
        n, start = int(space.n), int(space.start)

        def flat(value):
            array = np.asarray(value)
            if array.size != 1 or array.dtype.kind not in "biu" or not start <= array.item() < start + n:
                wrong(value)
            row = np.zeros(n, np.float32)
            row[array.item() - start] = 1
            return row
    elif isinstance(space, (spaces.Box, spaces.MultiBinary, spaces.MultiDiscrete)):
        is_box = isinstance(space, spaces.Box)
        shape, dtype, is_vector = space.shape, space.dtype, len(space.shape) == 1
        # A float may stand where floats are due and an integer anywhere, whatever their widths.
        kinds = "biuf" if dtype.kind == "f" else "biu"

        def flat(value):
            array = value
            if type(value) is not np.ndarray:
                try:
                    array = np.asarray(value)
                except Exception:
                    wrong(value)
            if array.shape != shape or array.dtype is not dtype and array.dtype.kind not in kinds:
                wrong(value)
            if is_box:
                return array if is_vector else array.ravel()
            if not space.contains(array.astype(dtype)):
                wrong(value)
            return spaces.flatten(space, array)
    else:

        def flat(value):
            if not space.contains(value):
                wrong(value)
            return spaces.flatten(space, value)

    return flat


def flat_observations(space):
    """The flattened Box of an observation space."""
    try:
        box = spaces.flatten_space(space)
    except NotImplementedError:
        box = None
    if not isinstance(box, spaces.Box):
        refuse(NOT_SUPPORTED, f"observations of {space} cannot be flattened")
    return box


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
            raise Ending
        view = view[n:]


class Signs:
    """Signs of life, b'T' and environment, where a round trip takes longer than a second."""

    def __init__(self):
        self.next = time.monotonic() + 1

    def give(self, index):
        self.next = time.monotonic() + 1
        pipe.sendall(b"T" + struct.pack("<I", index))


def make_all(env_id, n_envs, kwargs):
    """Makes the environments, all of which must announce the same."""
    signs = Signs()
    # That Python and Gymnasium are there.
    signs.give(0)
    for index in range(n_envs):
        try:
            envs.append(gymnasium.make(env_id, **kwargs))
            announced = [(env.observation_space, env.action_space) for env in (envs[0], envs[-1])]
        except Ending as error:
            refuse(STUCK, explained(error, is_gymnasium), index)
        except BaseException as error:
            refuse(NOT_MADE, explained(error, is_gymnasium), index)
        if announced[0] != announced[1]:
            refuse(NOT_SUPPORTED, f"announced {announced[0]} and, made another time, {announced[1]}", index)
        if time.monotonic() > signs.next:
            signs.give(index)


def greet():
    """Sends what the environments are; gives (functions for observations and actions, their lengths)."""
    space = envs[0].observation_space
    box = flat_observations(space)
    kind, count, low, high, to_actions = action_frame(envs[0].action_space)
    spec = envs[0].spec
    limit = spec.max_episode_steps if spec and spec.max_episode_steps else 0
    threshold = spec.reward_threshold if spec and spec.reward_threshold is not None else float("nan")
    version = gymnasium.__version__.encode()
    bounds = [np.asarray(b, "<f4").tobytes() for b in (box.low, box.high, low, high)]
    pipe.sendall(
        b"H" + struct.pack("<IBIQdI", box.shape[0], kind, count, limit, threshold, len(version))
        + version + b"".join(bounds)
    )
    return flattener(space), to_actions, box.shape, count if kind else 1


def serve(flat, to_actions, width, n_entries):
    """Steps as asked, until the parent asks no more."""
    n_envs = len(envs)
    requests = np.zeros(n_envs, [("command", "u1"), ("seed", "<u4"), ("action", "<f4", (n_entries,))])
    layout = np.dtype([("flags", "u1"), ("reward", "<f8"), ("observation", "<f4", width)])
    # Tag and replies in one piece: the parent wakes once.
    frame = bytearray(b"R" + bytes(n_envs * layout.itemsize))
    replies = np.frombuffer(frame, layout, offset=1)
    incoming = memoryview(requests).cast("B")
    commands, seeds, actions = requests["command"], requests["seed"], requests["action"]
    flags, rewards, observations = replies["flags"], replies["reward"], replies["observation"]
    rows = list(observations)
    steps = [env.step for env in envs]
    signs, monotonic, array, bools = Signs(), time.monotonic, np.ndarray, {bool, np.bool_}
    # What most environments answer is told without a call: a vector of the type announced.
    space = envs[0].observation_space
    dtype = space.dtype if isinstance(space, spaces.Box) and len(space.shape) == 1 else None
    # What is here now stays: nothing of it need be looked at again.
    gc.freeze()
    while True:
        receive(incoming)
        signs.next = monotonic() + 1
        i, doing = 0, "step"
        try:
            chosen = to_actions(actions)
            new_rewards, new_flags = rewards.tolist(), flags.tolist()
            for i, command in enumerate(commands.tolist()):
                if command == 0:
                    continue
                if command == 1:
                    doing = "reset"
                    answer = envs[i].reset(seed=int(seeds[i]))
                    if not isinstance(answer, tuple) or len(answer) != 2:
                        unpacked(answer, doing)
                    rows[i][:] = flat(answer[0])
                    new_rewards[i], new_flags[i] = 0.0, 0
                else:
                    doing = "step"
                    answer = steps[i](chosen[i])
                    if not isinstance(answer, tuple) or len(answer) != 5:
                        unpacked(answer, doing)
                    observation, reward, terminated, truncated, _ = answer
                    if observation.__class__ is array and observation.dtype is dtype and observation.shape == width:
                        rows[i][:] = observation
                    else:
                        rows[i][:] = flat(observation)
                    new_rewards[i] = reward if isinstance(reward, float) else number(reward)
                    if terminated.__class__ in bools and truncated.__class__ in bools:
                        new_flags[i] = (1 if terminated else 0) + (2 if truncated else 0)
                    else:
                        new_flags[i] = flag(terminated, "terminated") + 2 * flag(truncated, "truncated")
                if monotonic() > signs.next:
                    signs.give(i)
            rewards[:], flags[:] = new_rewards, new_flags
        except Ending as error:
            refuse(STUCK, explained(error), i)
        except Mismatch as error:
            refuse(RAISED, str(error), i)
        except BaseException as error:
            refuse(RAISED, blamed(error, doing), i)
        pipe.sendall(frame)


def main(env_id, n_envs, kwargs):
    make_all(env_id, n_envs, kwargs)
    try:
        told = greet()
    except Exception as error:
        refuse(NOT_SUPPORTED, f"spaces that cannot be told: {explained(error)}")
    serve(*told)


for number_of_signal in SIGNALS:
    signal.signal(number_of_signal, on_signal)
os.register_at_fork(after_in_child=in_fork)
threading.Thread(target=watch_parent, args=(float(sys.argv[4]),), daemon=True).start()
try:
    try:
        import gymnasium
        import numpy as np
        from gymnasium import spaces
    except ImportError as error:
        refuse(NO_GYMNASIUM, str(error))
    except Ending:
        refuse(STUCK, "import gymnasium")
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
except (Ending, OSError):
    pass
close_all()
