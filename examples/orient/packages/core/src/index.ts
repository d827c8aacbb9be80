import { z } from "zod";

export const Message = z.object({ from: z.string(), text: z.string() });
export type Message = z.infer<typeof Message>;

/** Every service answers its health check with this. */
export function health(service: string): { service: string; ok: true } {
  return { service, ok: true };
}
