import { health, type Message } from "@orient/core";

export function reply(message: Message): string {
  return `${message.from}: ${JSON.stringify(health("bot-whatsapp"))}`;
}
