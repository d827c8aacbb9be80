import { health } from "@orient/core";
import { tools } from "@orient/mcp-tools";

console.log(health("opencode"), Object.keys(tools));
