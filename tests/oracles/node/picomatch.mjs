// What picomatch says of each path for each pattern alone; how a list of them counts is asked for by `mode`:
//   ordered     `!` excludes, the last pattern that matches decides
//   some        as dorny/paths-filter: true when any pattern, taken alone, matches (`!x` is everything but x)
//   every       the same with `predicate-quantifier: every`
import picomatch from "picomatch";
import { serve } from "./serve.mjs";

const OPTIONS = { dot: true };

const matchers = new Map();
function matcher(pattern) {
  let found = matchers.get(pattern);
  if (found === undefined) {
    found = picomatch(pattern, OPTIONS);
    matchers.set(pattern, found);
  }
  return found;
}

function ordered(patterns) {
  const rules = patterns.map((text) =>
    text.startsWith("!") ? [matcher(text.slice(1)), false] : [matcher(text), true],
  );
  rules.reverse();
  return (path) => rules.find(([matches]) => matches(path))?.[1] ?? false;
}

const MODES = {
  ordered,
  some: (patterns) => (path) => patterns.some((text) => matcher(text)(path)),
  every: (patterns) => (path) => patterns.every((text) => matcher(text)(path)),
};

await serve(({ mode, questions }) =>
  questions.map(({ patterns, paths }) => paths.map(MODES[mode](patterns))),
);
