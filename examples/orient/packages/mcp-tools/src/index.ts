import { health } from "@orient/core";

export const tools = { health: () => health("mcp-tools") };
