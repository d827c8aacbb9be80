// GitHub's own parser of workflow and action files: every error it finds, in its own words.
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from "@actions/workflow-parser";
import { parseAction } from "@actions/workflow-parser/actions/action-parser";
import { serve } from "./serve.mjs";

await serve(async ({ kind, name, content }) => {
  const parse = kind === "action" ? parseAction : parseWorkflow;
  const { context, value } = parse({ name, content }, new NoOperationTraceWriter());
  if (kind === "workflow" && value !== undefined) {
    await convertWorkflowTemplate(context, value); // finds what the schema cannot: unknown `needs`, cycles
  }
  return context.errors.getErrors().map((error) => error.message);
});
