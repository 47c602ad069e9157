"""Environments that put their host to the test, after situations in public bug reports.

`guests:Guest-v0` behaves as its argument `how` says; `log` is a file for what it has to tell.
"""

import os
import signal
import subprocess
import sys
import time
import warnings

import gymnasium
import numpy as np
from gymnasium import spaces

SPACES = {
    "grid": spaces.Box(0, 255, (2, 3), np.uint8),
    "parts": spaces.Dict({
        "b": spaces.Discrete(3, start=5),
        "a": spaces.Tuple((spaces.Box(-1, 1, (2,)), spaces.MultiBinary(2))),
    }),
    "many": spaces.MultiDiscrete([2, 3]),
}
GOOD = {
    "grid": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "parts": {"a": (np.array([0.5, -0.5], np.float32), np.array([1, 0], np.int8)), "b": 6},
    "many": np.array([1, 2]),
}
OBSERVATIONS = {
    "shape": lambda: np.array([0.5], np.float32),
    "two dimensions": lambda: np.zeros((1, 3), np.float32),
    "none": lambda: None,
    "text": lambda: "up",
    "texts": lambda: np.array(["a", "b", "c"]),
    "objects": lambda: np.array([0.0, None, 0.0]),
    "ragged": lambda: [0.0, [1.0], 2.0],
    "list": lambda: [0.5, 0.25, -1.0],
    "integers": lambda: np.array([1, 0, 1]),
    "doubles": lambda: np.array([0.5, 0.25, -1.0]),
}
REWARDS = {
    "int": 2, "bool": True, "f4": np.float32(2.5), "array": np.array([2.5]), "matrix": np.array([[3]]),
    "none": None, "text": "1", "two": np.array([1.0, 2.0]), "complex": 1j,
}
FLAGS = {
    "np": np.bool_(True), "one": 1, "array": np.array([True]),
    "none": None, "text": "False", "two": np.array([True, True]), "half": 0.5,
}


class Guest(gymnasium.Env):
    def __init__(
        self, how="well", log=os.devnull, space=None, reward=None, terminated=None, observation=None, answer=None
    ):
        self.observation_space = SPACES.get(space, spaces.Box(-1, 1, (3,), np.float32))
        self.action_space = spaces.Discrete(2)
        self.how, self.log, self.t, self.n, self.helper = how, log, 0, 0, None
        self.space, self.reward, self.terminated = space, reward, terminated
        self.observation, self.answer = observation, answer
        self.tell("made")
        if how == "fails to be made":
            self.limbs["foot"]
        if how == "is made slowly":
            time.sleep(2)
        if how == "minds signals":
            for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
                signal.signal(number, signal.SIG_DFL)

    def tell(self, text):
        with open(self.log, "a") as log:
            log.write(f"{text}\n")

    def see(self):
        return GOOD[self.space] if self.space in GOOD else self.np_random.uniform(-1, 1, 3).astype(np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        if self.how == "tells its process":
            self.tell(os.getpid())
        if self.how == "reads the input" and self.helper is None:
            self.helper = subprocess.Popen(["sh", "-c", f"wc -c >> {self.log}"])
        if self.how == "leaves helpers":
            self.tell(subprocess.Popen(["sleep", "300"], close_fds=False).pid)
            pid = os.fork()
            if pid == 0:
                os.setsid()
                while True:
                    time.sleep(1)
            self.tell(pid)
        if self.how == "resets slowly":
            time.sleep(2)
        if self.how == "says hello":
            print("good morning")
        if self.how == "resets in the old way":
            return self.see()
        return self.see(), {}

    def step(self, action):
        self.t += 1
        self.n += 1
        if self.how == "slows down" and self.n == 100:
            time.sleep(1.2)
        if self.t == 3:
            self.misbehave()
        came = OBSERVATIONS[self.observation]() if self.observation and self.t == 3 else self.see()
        if isinstance(came, np.ndarray) and self.how == "another shape of the same size":
            came = came.T.copy()
        reward = REWARDS[self.reward] if self.reward and self.t == 3 else 1.0
        terminated = FLAGS[self.terminated] if self.terminated and self.t == 3 else False
        if self.answer == "old":
            return came, reward, False, {}
        if self.answer == "three":
            return came, reward, False
        if self.answer == "nothing":
            return None
        return came, reward, terminated, False, {}

    def misbehave(self):
        how = self.how
        if how == "raises":
            try:
                {}["knee"]
            except KeyError:
                raise ValueError("my foot is \033[31mstuck\033[0m")
        if how == "leaves helpers" or how == "dies":
            print("the ground shakes")
            os._exit(3)
        if how == "quits":
            sys.exit("I quit")
        if how in ("hangs", "hangs for good"):
            if how == "hangs for good":
                for number in signal.SIGTERM, signal.SIGINT:
                    signal.signal(number, signal.SIG_IGN)
            time.sleep(600)
        if how == "steps slowly":
            time.sleep(1.2)
        if how == "warns":
            warnings.warn("unstable")
            sys.stderr.write("\033[33mWARN: too hot\033[0m\n")

    def close(self):
        self.tell(f"closed at {self.t}")
        if self.how == "closes for ever":
            time.sleep(600)
        if self.how == "closes badly":
            raise RuntimeError("the door is stuck")


gymnasium.register("Guest-v0", entry_point=Guest)
# Without Gymnasium's own look at the first step.
gymnasium.register("Unseen-v0", entry_point=Guest, disable_env_checker=True, order_enforce=False)
