// One JSON request per line in, one JSON answer per line out, in order, until the input ends.
import { createInterface } from "node:readline";

export async function serve(answer) {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    let reply;
    try {
      reply = { value: await answer(JSON.parse(line)) };
    } catch (error) {
      reply = { error: String(error?.message ?? error) };
    }
    process.stdout.write(JSON.stringify(reply) + "\n");
  }
}
