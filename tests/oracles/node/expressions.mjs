// GitHub's own expression evaluator. The status functions are not part of it: they are answered from
// `status`, the state of the jobs that came before ("success", "failure" or "cancelled").
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";
import { serve } from "./serve.mjs";

function statusFunction(name, answer) {
  return {
    name,
    description: "",
    minArgs: 0,
    maxArgs: 0,
    call: () => new data.BooleanData(answer),
  };
}

await serve(({ expression, contexts, status }) => {
  const functions = [
    statusFunction("always", true),
    statusFunction("success", status === "success"),
    statusFunction("failure", status === "failure"),
    statusFunction("cancelled", status === "cancelled"),
  ];
  const context = JSON.parse(JSON.stringify(contexts), data.reviver);
  const tokens = new Lexer(expression).lex().tokens;
  const tree = new Parser(tokens, Object.keys(contexts), functions).parse();
  const byName = new Map(functions.map((each) => [each.name, each]));
  const value = new Evaluator(tree, context, byName).evaluate();
  return JSON.parse(JSON.stringify(value, data.replacer));
});
