// Bundles the oracles into the folder named on the command line, once per installation: GitHub's packages
// import JSON files, which Node 20 refuses without a bundler.
import { copyFile, cp } from "node:fs/promises";

import { build } from "esbuild";

await build({
  entryPoints: [
    "picomatch.mjs",
    "expressions.mjs",
    "workflow_parser.mjs",
    "yarn_lock.mjs",
    "path_to_regexp.mjs",
  ],
  bundle: true,
  platform: "node",
  format: "esm",
  outdir: process.argv[2],
  outExtension: { ".js": ".mjs" },
  // Some of the bundled packages are CommonJS and ask for Node's own modules with `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: "warning",
});
// For a browser, and one file as it comes.
await copyFile("node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js", `${process.argv[2]}/mermaid.js`);
// Programs, as they come.
const [out, machine] = [process.argv[2], `${process.platform}-${process.arch.replace("x64", "64")}`];
await cp("node_modules/pnpm", `${out}/pnpm`, { recursive: true });
await cp("node_modules/pnpm-8", `${out}/pnpm-8`, { recursive: true });
await copyFile(`node_modules/@turbo/${machine}/bin/turbo`, `${out}/turbo`);
