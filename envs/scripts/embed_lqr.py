"""Writes src/lqr/problems.rs from the LQR reference data.

    python3 envs/scripts/embed_lqr.py tests/data/lqr.json > envs/src/lqr/problems.rs

Matrices and optima are copied; the limits are computed here (see `LqrProblem` for what they mean).
Needs numpy.
"""

import json
import sys

import numpy as np

# Standard deviations, over x0 ~ N(0, I) under the optimal controller, that the limits leave.
ACTION_DEVIATIONS = 10.0
STATE_DEVIATIONS = 100.0


def limits(problem, gain):
    """Greatest input and state deviations at any time, and the steps until 99 % of the cost."""
    a, b, q, r = (np.array(problem[k], float) for k in "ABQR")
    closed = a - b @ gain
    cost = q + gain.T @ r @ gain
    second_moment = np.eye(len(a))
    inputs, states, spent = np.zeros(len(gain)), 0.0, [0.0]
    for _ in range(1000):
        inputs = np.maximum(inputs, np.sqrt(np.diag(gain @ second_moment @ gain.T)))
        states = max(states, np.sqrt(np.diag(second_moment).max()))
        spent.append(spent[-1] + np.trace(second_moment @ cost))
        second_moment = closed @ second_moment @ closed.T
    return inputs, states, spent


def flat(matrix):
    return "&[" + ", ".join(repr(float(x)) for row in matrix for x in row) + "]"


def optimum(solution):
    return (
        f"LqrOptimum {{ discount: {float(solution['gamma'])!r}, gain: Cow::Borrowed({flat(solution['K'])}), "
        f"value: Cow::Borrowed({flat(solution['P'])}) }}"
    )


def main(path):
    problems = json.load(open(path))["problems"]
    print("//! The problems of `tests/data/lqr.json`, written by `scripts/embed_lqr.py`: edit neither by hand.\n")
    print("use std::borrow::Cow;\n\nuse super::problem::{LqrOptimum, LqrProblem};\n")
    print(f"pub(super) static PROBLEMS: [LqrProblem; {len(problems)}] = [")
    for problem in problems:
        solutions = {solution["gamma"]: solution for solution in problem["solutions"]}
        gain = np.array(solutions[1.0]["K"])
        inputs, states, spent = limits(problem, gain)
        enough = next((t for t, cost in enumerate(spent) if cost > 0.99 * solutions[1.0]["trace_P"]), 1000)
        horizon = min(1000, -(-enough // 100) * 100)
        print("    LqrProblem {")
        print(f"        name: Cow::Borrowed({json.dumps('LQR/' + problem['name'])}),")
        print(f"        source: Cow::Borrowed({json.dumps(problem['source'])}),")
        print(f"        n_states: {problem['n']}, n_inputs: {problem['m']},")
        for field, key in [("dynamics", "A"), ("input", "B"), ("state_cost", "Q"), ("input_cost", "R")]:
            print(f"        {field}: Cow::Borrowed({flat(problem[key])}),")
        print(f"        optimum: {optimum(solutions[1.0])},")
        print(f"        discounted_optimum: {optimum(solutions[0.99])},")
        bounds = ", ".join(repr(float(f"{ACTION_DEVIATIONS * x:.3g}")) for x in inputs)
        print(f"        action_limit: Cow::Borrowed(&[{bounds}]),")
        print(f"        state_limit: {float(f'{STATE_DEVIATIONS * states:.3g}')!r},")
        print(f"        max_episode_steps: {horizon},")
        print(f"        episode_cost: {float(spent[horizon])!r},")
        print("    },")
    print("];")


main(sys.argv[1])
